package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/config"
)

// The secret of a store is made once, stays the same, and is for nobody else to read.
func TestVotersSecretIsKept(t *testing.T) {
	cfg := config.Default()
	cfg.Store.Driver, cfg.Store.Path = config.StoreEmbedded, t.TempDir()
	first, err := votersSecret(cfg)
	if err != nil || len(first) < 32 {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := votersSecret(cfg); again != first || err != nil {
		t.Errorf("%q becomes %q, %v", first, again, err)
	}
	path := filepath.Join(cfg.Store.Path, secretFile)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if files, err := os.ReadDir(cfg.Store.Path); err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
	if err := os.WriteFile(path, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := votersSecret(cfg); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("an empty file: %q, %v", got, err)
	}
}

// A secret that was given is used as it is; without a store to keep it in, each start has another one.
func TestVotersSecretThatIsNotKept(t *testing.T) {
	cfg := config.Default()
	cfg.Store.Driver, cfg.Store.Path = config.StoreMemory, t.TempDir()
	first, _ := votersSecret(cfg)
	if again, _ := votersSecret(cfg); again == first || first == "" {
		t.Errorf("%q twice", first)
	}
	cfg.Room.Secret = config.NewSecret("hush")
	if got, err := votersSecret(cfg); got != "hush" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if files, err := os.ReadDir(cfg.Store.Path); err != nil || len(files) > 0 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
}
