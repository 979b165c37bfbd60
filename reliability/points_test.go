package reliability

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// points finds the names of all crash points in the source; none if this build has none.
func points(t testing.TB) []string {
	t.Helper()
	if !seamed {
		return nil
	}
	hit := regexp.MustCompile(`seam\.Hit\("([^"]+)"\)`)
	var names []string
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range hit.FindAllSubmatch(source, -1) {
			names = append(names, string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unmet are the crash points that no client leads a server to.
var unmet = map[string]string{
	"embedded.checkpoint.before": "nobody makes a backup here: journal/embedded does",
	"embedded.checkpoint.copied": "likewise",
	"hub.follow.page":            "clients that come back at once miss less than the ring holds",
	"hub.recover":                "no append fails here: hub's simulation has one",
}

// mostHits is how often a crash point is passed before it strikes, at most.
func mostHits(point string) int {
	switch {
	case strings.Contains(point, ".open."):
		return 1
	case strings.Contains(point, ".job."):
		return 3
	case strings.Contains(point, ".follow."): // once for each of the fleet's clients
		return roomsPerRound * (1 + writersPerRoom)
	}
	return 20
}
