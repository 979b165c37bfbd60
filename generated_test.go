package parley_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write proto/generated.sum instead of comparing with it; make generate does")

// The code of the .proto files is committed, so that building needs no generator. That it is current is told by sums
// of what went in and what came out, written when it was generated; make lint generates it anew and compares.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	const path = "proto/generated.sum"
	got := sums(t)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := string(read(t, path)); got != want {
		t.Errorf("proto/gen does not belong to proto/pb: run make generate\n%s", difference(want, got))
	}
}

// sums lists a sum of every file that generating reads or writes, and the versions of the generators.
func sums(t *testing.T) string {
	t.Helper()
	files := []string{"buf.gen.yaml"}
	for _, root := range []string{"proto/gen", "proto/pb"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	for _, file := range files {
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(read(t, file)), filepath.ToSlash(file))
	}
	b.Write(goCommand(t, "list", "-m", "-f", "{{.Path}} {{.Version}}", "google.golang.org/protobuf", "google.golang.org/grpc/cmd/protoc-gen-go-grpc"))
	return b.String()
}

// difference lists the lines that are not in both.
func difference(want, got string) string {
	var b strings.Builder
	for line := range strings.Lines(want) {
		if !strings.Contains(got, line) {
			b.WriteString("- " + line)
		}
	}
	for line := range strings.Lines(got) {
		if !strings.Contains(want, line) {
			b.WriteString("+ " + line)
		}
	}
	return b.String()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
