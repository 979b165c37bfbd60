// jsbench publishes to a JetStream file stream of NATS, each publisher waiting for its acknowledgement: what a durable
// append costs in a broker, beside walbench and hubbench. It prints one JSON line.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

type config struct {
	url                    string
	producers, conns, size int
	dur                    time.Duration
}

func main() {
	cf := &config{}
	flag.StringVar(&cf.url, "url", "nats://127.0.0.1:4222", "the server")
	flag.IntVar(&cf.producers, "producers", 64, "publishers")
	flag.IntVar(&cf.conns, "conns", 8, "connections they share")
	flag.IntVar(&cf.size, "size", 256, "bytes of a message")
	flag.DurationVar(&cf.dur, "dur", 3*time.Second, "how long to measure")
	flag.Parse()
	if err := run(context.Background(), cf); err != nil {
		fmt.Fprintln(os.Stderr, "jsbench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, cf *config) error {
	streams, err := connect(ctx, cf)
	if err != nil {
		return err
	}
	start := time.Now()
	took, err := publish(ctx, cf, streams)
	if err != nil {
		return err
	}
	wall := time.Since(start).Seconds()
	slices.Sort(took)
	line, err := json.Marshal(map[string]any{
		"producers": cf.producers, "size": cf.size, "events": len(took), "events_per_s": float64(int(float64(len(took)) / wall)),
		"p50_ms": quantile(took, .5), "p99_ms": quantile(took, .99), "p999_ms": quantile(took, .999), "max_ms": quantile(took, 1),
	})
	fmt.Println(string(line))
	return err
}

func connect(ctx context.Context, cf *config) (streams []jetstream.JetStream, err error) {
	for range cf.conns {
		nc, err := nats.Connect(cf.url)
		if err != nil {
			return nil, err
		}
		js, err := jetstream.New(nc)
		if err != nil {
			return nil, err
		}
		streams = append(streams, js)
	}
	stream := jetstream.StreamConfig{Name: "D", Subjects: []string{"dur.>"}, Storage: jetstream.FileStorage}
	_, err = streams[0].CreateOrUpdateStream(ctx, stream)
	return streams, err
}

// publish returns the time each publish took.
func publish(ctx context.Context, cf *config, streams []jetstream.JetStream) ([]int64, error) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	took, errs := make([][]int64, cf.producers), make(chan error, cf.producers)
	payload := make([]byte, cf.size)
	for p := range cf.producers {
		wg.Go(func() {
			for !stop.Load() {
				start := time.Now()
				if _, err := streams[p%len(streams)].Publish(ctx, "dur."+strconv.Itoa(p), payload); err != nil {
					errs <- err
					return
				}
				took[p] = append(took[p], time.Since(start).Nanoseconds())
			}
		})
	}
	time.Sleep(cf.dur)
	stop.Store(true)
	wg.Wait()
	select {
	case err := <-errs:
		return nil, err
	default:
		return slices.Concat(took...), nil
	}
}

func quantile(sorted []int64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]/1000) / 1000
}
