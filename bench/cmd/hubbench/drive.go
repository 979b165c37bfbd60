package main

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A driver has writers append, and records how long each append took.
type driver struct {
	cf  *config
	l   layer
	lat [][]int64 // per writer
}

func newDriver(cf *config, l layer) *driver {
	return &driver{cf: cf, l: l, lat: make([][]int64, cf.writers)}
}

func (d *driver) reset() {
	for i := range d.lat {
		d.lat[i] = d.lat[i][:0]
	}
}

func (d *driver) result() (events int, sorted []int64) {
	for _, l := range d.lat {
		sorted = append(sorted, l...)
	}
	slices.Sort(sorted)
	return len(sorted), sorted
}

func (d *driver) run(dur time.Duration) error {
	if d.cf.rate > 0 {
		return d.open(dur)
	}
	return d.closed(dur)
}

func (d *driver) closed(dur time.Duration) error {
	var stop atomic.Bool
	time.AfterFunc(dur, func() { stop.Store(true) })
	return d.writers(func(w int) error {
		for !stop.Load() {
			start := time.Now()
			if err := d.l.append(w); err != nil {
				return err
			}
			d.lat[w] = append(d.lat[w], time.Since(start).Nanoseconds())
		}
		return nil
	})
}

// open hands out an event when it is due. It is stamped when it is handed out, not when it was due: a sleep of Go ends
// up to a millisecond late in an idle process, which is the generator's delay and not the log's.
func (d *driver) open(dur time.Duration) error {
	due := make(chan time.Time, int(d.cf.rate*dur.Seconds())+1)
	go func() {
		defer close(due)
		start := time.Now()
		for k, total := 0, int(d.cf.rate*dur.Seconds()); k < total; {
			time.Sleep(time.Until(start.Add(time.Duration(float64(k) * 1e9 / d.cf.rate))))
			for now := time.Now(); k < total && now.Sub(start).Seconds()*d.cf.rate >= float64(k); k++ {
				due <- time.Now()
			}
		}
	}()
	return d.writers(func(w int) error {
		for start := range due {
			if err := d.l.append(w); err != nil {
				return err
			}
			d.lat[w] = append(d.lat[w], time.Since(start).Nanoseconds())
		}
		return nil
	})
}

func (d *driver) writers(write func(w int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, d.cf.writers)
	for w := range d.cf.writers {
		wg.Go(func() { errs[w] = write(w) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
