// walbench measures how many durable appends a second this disk allows: one append-only file, group commit, nothing
// else. Producers append checksummed events to a shared buffer; one committer takes all that is waiting, writes it with
// one write(2), syncs with fdatasync(2), and acknowledges the whole batch. It prints one JSON line.
//
//	-producers N   closed loop: N producers, each waits for its acknowledgement before the next append
//	-rate R        open loop: R events/s whatever the disk does
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type config struct {
	dir       string
	producers int
	rate      float64
	size      int
	dur       time.Duration
}

func main() {
	cf := &config{}
	flag.StringVar(&cf.dir, "dir", "", "a folder on the disk to measure; the log in it is removed afterwards")
	flag.IntVar(&cf.producers, "producers", 64, "producers of the closed loop")
	flag.Float64Var(&cf.rate, "rate", 0, "events/s of an open loop; 0 is a closed loop")
	flag.IntVar(&cf.size, "size", 256, "bytes of an event")
	flag.DurationVar(&cf.dur, "dur", 3*time.Second, "how long to measure")
	flag.Parse()
	if err := run(cf); err != nil {
		fmt.Fprintln(os.Stderr, "walbench:", err)
		os.Exit(1)
	}
}

func run(cf *config) error {
	if cf.dir == "" {
		return fmt.Errorf("-dir is missing")
	}
	if err := os.MkdirAll(cf.dir, 0o755); err != nil {
		return err
	}
	w, err := create(filepath.Join(cf.dir, "log"))
	if err != nil {
		return err
	}
	defer w.remove()
	committed := make(chan struct{})
	go func() {
		defer close(committed)
		w.commit()
	}()
	payload := slices.Repeat([]byte("abcdefghijklmnopqrstuvwxyz"), cf.size/26+1)[:cf.size]
	cpu, busy, start := ownCPU(), machineBusy(), time.Now()
	var latencies []int64
	if cf.rate > 0 {
		openLoop(w, payload, cf)
	} else {
		latencies = closedLoop(w, payload, cf)
	}
	wall, own, others := time.Since(start).Seconds(), ownCPU()-cpu, machineBusy()-busy
	close(w.wake)
	<-committed
	return report(cf, w, append(latencies, w.latencies...), wall, own, others-own)
}

// closedLoop returns the time each append took.
func closedLoop(w *wal, payload []byte, cf *config) (all []int64) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	took := make([][]int64, cf.producers)
	for p := range cf.producers {
		wg.Go(func() {
			for !stop.Load() {
				start := time.Now()
				<-w.append(payload, time.Time{}).done
				took[p] = append(took[p], time.Since(start).Nanoseconds())
			}
		})
	}
	time.Sleep(cf.dur)
	stop.Store(true)
	wg.Wait()
	return slices.Concat(took...)
}

// openLoop appends each event when it is due. It is stamped when it is appended: a sleep of Go ends up to a millisecond
// late in an idle process, which is the generator's delay and not the log's.
func openLoop(w *wal, payload []byte, cf *config) {
	start := time.Now()
	var last *batch
	for k, total := 0, int(cf.rate*cf.dur.Seconds()); k < total; {
		time.Sleep(time.Until(start.Add(time.Duration(float64(k) * 1e9 / cf.rate))))
		for ; k < total && time.Since(start).Seconds()*cf.rate >= float64(k); k++ {
			last = w.append(payload, time.Now())
		}
	}
	<-last.done
}

func report(cf *config, w *wal, latencies []int64, wall, own, others float64) error {
	slices.Sort(latencies)
	slices.Sort(w.syncTook)
	syncs := len(w.syncTook)
	line, err := json.Marshal(map[string]any{
		"producers": cf.producers, "rate": cf.rate, "size": cf.size, "events": w.events, "wall_s": thousandths(wall),
		"events_per_s": whole(float64(w.events) / wall), "syncs_per_s": whole(float64(syncs) / wall),
		"mean_batch": thousandths(float64(w.events) / float64(max(syncs, 1))),
		"p50_ms":     quantile(latencies, .5), "p99_ms": quantile(latencies, .99), "p999_ms": quantile(latencies, .999), "max_ms": quantile(latencies, 1),
		"sync_p50_ms": quantile(w.syncTook, .5), "sync_p99_ms": quantile(w.syncTook, .99),
		"cpu_us_per_event": thousandths(own / float64(max(w.events, 1)) * 1e6), "cpu_cores": thousandths(own / wall),
		"foreign_cores": thousandths(others / wall),
	})
	fmt.Println(string(line))
	return err
}

func ownCPU() float64 {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

func machineBusy() float64 {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	var user, nice, system, idle, iowait, irq, softirq float64
	_, _ = fmt.Sscanf(string(stat), "cpu %f %f %f %f %f %f %f", &user, &nice, &system, &idle, &iowait, &irq, &softirq)
	return (user + nice + system + irq + softirq) / 100
}

func quantile(sorted []int64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]/1000) / 1000
}

func whole(x float64) float64       { return float64(int64(x)) }
func thousandths(x float64) float64 { return float64(int64(x*1000)) / 1000 }
