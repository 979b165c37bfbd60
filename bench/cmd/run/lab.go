package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A lab runs trials and keeps what they measured.
type lab struct {
	bin, dir          string
	serverCPU, genCPU string
	reps              int
	quick             bool
	noisy             float64
	patience          time.Duration // what is left of it
	counters          bool          // whether this machine counts instructions

	results *os.File
	rows    rows
	errs    []error
}

// A table is some trials and the way they are shown.
type table struct {
	name   string
	once   bool // one repetition is enough: it counts things that do not vary
	trials func(l *lab) []trial
	print  func(w io.Writer, rs rows)
}

// A trial measures one server in one scenario and returns a row for each phase.
type trial struct {
	scenario, server string
	do               func(ctx context.Context, l *lab) (rows, error)
}

// run repeats the trials of a table, repetitions outermost. A trial that fails is reported and left out: the others
// are still worth having.
func (l *lab) run(ctx context.Context, t table) error {
	reps := l.reps
	if t.once {
		reps = 1
	}
	for rep := 1; rep <= reps; rep++ {
		for _, tr := range t.trials(l) {
			got, err := l.try(ctx, t, tr, rep)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				err = fmt.Errorf("%s, %s, %s, repetition %d: %w", t.name, tr.scenario, tr.server, rep, err)
				fmt.Fprintln(os.Stderr, err)
				l.errs = append(l.errs, err)
			}
			l.rows = append(l.rows, got...)
		}
	}
	return nil
}

// try measures, and once more if other programs were too busy meanwhile and there is patience left; the quieter counts.
func (l *lab) try(ctx context.Context, t table, tr trial, rep int) (rows, error) {
	best, err := l.once(ctx, t, tr, rep)
	if err != nil || best.noise() <= l.noisy || l.patience <= 0 {
		return best, err
	}
	start := time.Now()
	again, err := l.once(ctx, t, tr, rep)
	l.patience -= time.Since(start)
	if err == nil && again.noise() < best.noise() {
		best = again
	}
	return best, nil
}

func (l *lab) once(ctx context.Context, t table, tr trial, rep int) (rows, error) {
	l.waitQuiet(ctx)
	if err := os.RemoveAll(l.scratch()); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(l.scratch(), 0o755); err != nil {
		return nil, err
	}
	got, err := tr.do(ctx, l)
	for _, r := range got {
		r["table"], r["scenario"], r["server"], r["rep"] = t.name, tr.scenario, tr.server, float64(rep)
		r["taken"] = time.Now().UTC().Format(time.RFC3339)
		line, _ := json.Marshal(r)
		fmt.Fprintf(l.results, "%s\n", line)
		fmt.Fprintln(os.Stderr, time.Now().Format("15:04:05"), r.brief())
	}
	return got, errors.Join(err, os.RemoveAll(l.scratch()))
}

// scratch is the folder of one trial's servers.
func (l *lab) scratch() string { return filepath.Join(l.dir, "scratch") }

func (l *lab) log(name string) string { return filepath.Join(l.dir, name+".log") }

func (l *lab) close() { _ = l.results.Close() }

func (l *lab) failed() error {
	if len(l.errs) > 0 {
		return fmt.Errorf("%d trials failed, the first one: %w", len(l.errs), l.errs[0])
	}
	return nil
}

// pick chooses by whether the trials are to be short.
func pickBy[T any](quick bool, short, full T) T {
	if quick {
		return short
	}
	return full
}

// generate runs a program that ends by itself and prints rows, pinned unless cpu is empty.
func (l *lab) generate(ctx context.Context, cpu, name string, args ...string) (rows, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	argv := append([]string{filepath.Join(l.bin, name)}, args...)
	if cpu != "" {
		argv = append([]string{"taskset", "-c", cpu}, argv...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.SysProcAttr = endWithParent()
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(complaints.String()))
	}
	got, bad := parseRows(&out)
	return got, errors.Join(err, bad)
}

func readRows(path string) (rows, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return parseRows(f)
}

func parseRows(from io.Reader) (rs rows, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return rs, fmt.Errorf("no row: %.100s: %w", lines.Bytes(), err)
		}
		rs = append(rs, r)
	}
	return rs, lines.Err()
}
