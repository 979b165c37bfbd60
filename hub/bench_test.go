package hub_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"parley/hub"
	"parley/journal/embedded"
	"parley/room"
)

// BenchmarkPost measures durable messages through the hub: writers in a closed loop, spread over rooms.
func BenchmarkPost(b *testing.B) {
	for _, c := range []struct{ writers, rooms int }{{1, 1}, {64, 1}, {64, 16}, {64, 64}, {256, 16}, {256, 256}} {
		b.Run(fmt.Sprintf("writers=%d/rooms=%d", c.writers, c.rooms), func(b *testing.B) { benchmarkPost(b, c.writers, c.rooms) })
	}
}

func benchmarkPost(b *testing.B, writers, rooms int) {
	store, err := embedded.Open(embedded.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	h, err := hub.New(hub.Config{Store: store})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	id := func(i int) room.ID { return room.ID(fmt.Sprintf("room-%d", i%rooms)) }
	for i := range rooms {
		for _, c := range []room.Command{room.Create{Epoch: "e", Name: "Room"}, room.Join{}} {
			if _, err := h.Do(b.Context(), id(i), room.Meta{By: maja}, c); err != nil {
				b.Fatal(err)
			}
		}
	}
	text := strings.Repeat("x", 200)
	var next atomic.Int64
	b.SetParallelism(writers / 2)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		me := id(int(next.Add(1)))
		for pb.Next() {
			if _, err := h.Do(b.Context(), me, room.Meta{By: maja}, room.PostMessage{Text: text}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
