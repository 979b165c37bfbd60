// run measures Parley beside the bare libraries, on one machine: server on one CPU, generator on the other, loopback
// only. Each table repeats its trials N times, repetitions outermost, so that a target and its reference are always
// measured within the same minute; the tables show medians and ranges, and every measurement is kept as a line of JSON.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	runtime.LockOSThread() // what is started here ends with this thread
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

func run() error {
	l := &lab{}
	names := flag.String("table", "all", "which tables, comma separated: "+strings.Join(tableNames(), ", "))
	flag.StringVar(&l.bin, "bin", "bin", "folder of the programs: parley, nats-server and those of cmd/")
	flag.StringVar(&l.dir, "dir", "run", "folder for logs, stores and results, on the disk to measure")
	flag.StringVar(&l.serverCPU, "server-cpu", "0", "CPU of the server")
	flag.StringVar(&l.genCPU, "gen-cpu", "1", "CPU of the generator")
	flag.IntVar(&l.reps, "reps", 3, "repetitions of each trial")
	flag.BoolVar(&l.quick, "quick", false, "short trials: to see that everything works, not to compare")
	flag.Float64Var(&l.noisy, "noisy", 0.15, "a measurement during which other programs used more cores than this is tried once more")
	flag.DurationVar(&l.patience, "patience", 90*time.Second, "time to spend, in all, on waiting for a quiet machine and on trying again")
	show := flag.String("show", "", "only print the tables of this file of results")
	profile := flag.Bool("profile", false, "instead of tables, write CPU profiles of the server at peak")
	flag.Parse()
	picked, err := pick(*names)
	if err != nil {
		return err
	}
	if *show != "" {
		return showFile(*show, picked)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := l.open(); err != nil {
		return err
	}
	defer l.close()
	if *profile {
		return l.profile(ctx)
	}
	for _, t := range picked {
		if err := l.run(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		t.print(os.Stdout, l.rows.of(t.name))
	}
	fmt.Fprintln(os.Stderr, "measurements:", l.results.Name())
	return l.failed()
}

func tables() []table {
	return []table{fanoutTable(), countsTable(), idleTable(), slowTable(), appendTable(), openTable(), llmTable()}
}

func tableNames() (names []string) {
	for _, t := range tables() {
		names = append(names, t.name)
	}
	return names
}

func pick(names string) (picked []table, err error) {
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		wanted[name] = true
	}
	for _, t := range tables() {
		if wanted[t.name] || wanted["all"] {
			picked = append(picked, t)
		}
		delete(wanted, t.name)
	}
	delete(wanted, "all")
	for name := range wanted {
		return nil, fmt.Errorf("no table %q; there are: %s", name, strings.Join(tableNames(), ", "))
	}
	return picked, nil
}

func showFile(path string, picked []table) error {
	rows, err := readRows(path)
	for _, t := range picked {
		if kept := rows.of(t.name).quieter(); len(kept) > 0 {
			t.print(os.Stdout, kept)
		}
	}
	return err
}

// open makes the folder of results absolute, since servers run in folders of their own.
func (l *lab) open() (err error) {
	for _, dir := range []*string{&l.bin, &l.dir} {
		if *dir, err = filepath.Abs(*dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return err
	}
	l.results, err = os.Create(filepath.Join(l.dir, time.Now().UTC().Format("20060102-150405")+".jsonl"))
	l.counters = hardwareCounters()
	return err
}
