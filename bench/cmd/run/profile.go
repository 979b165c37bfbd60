package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"parley/bench/internal/meter"
)

// profile writes a CPU profile of the metered server at the peak of each crowd.
func (l *lab) profile(ctx context.Context) error {
	for _, c := range crowds() {
		file := filepath.Join(l.dir, c.name+".prof")
		s := metered("parley", "embedded")
		s.env = func(string) []string { return []string{meter.ProfileTo + "=" + file} }
		if err := os.MkdirAll(l.scratch(), 0o755); err != nil {
			return err
		}
		if _, err := l.drive(ctx, s, c.load("-peak", "5s", "-meter")...); err != nil {
			return err
		}
		if err := os.RemoveAll(l.scratch()); err != nil {
			return err
		}
		fmt.Println("go tool pprof -top", file)
	}
	return nil
}
