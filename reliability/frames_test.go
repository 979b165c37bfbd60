package reliability

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"parley/reliability/check"
	"parley/reliability/wire"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// The server stays as it is under frames that are random, or nearly right.
func TestRandomFrames(t *testing.T) {
	const frames, batch = 10_000, 100
	s := start(t, serverConfig{})
	conn := dial(t, s.addr)
	id := mustRoom(t, conn)
	random := seeded(t)
	good := sit(t, conn, &roompb.JoinRoom{RoomId: id, UserId: "good"})
	seeds := nuisances(t, id)
	before := measure()
	var bad *seat
	for n := range frames {
		if n%batch == 0 {
			if bad != nil {
				bad.pong(fmt.Sprint("ping", n))
				bad.leave()
			}
			bad = sit(t, conn, &roompb.JoinRoom{RoomId: id, UserId: fmt.Sprint("bad", n/batch%10)})
			good.say(fmt.Sprint("key", n), fmt.Sprint("good ", n))
		}
		if err := bad.SendBytes(harmless(scramble(random, seeds))); err != nil {
			t.Fatalf("frame %d: %v; %v", n, err, bad.ended())
		}
	}
	bad.pong("last")
	bad.leave()
	good.say("end", "good end")
	after := measure()
	t.Logf("%d frames: %v before, %v after", frames, before, after)
	if after.goroutines > before.goroutines+20 || after.heap > before.heap+(32<<20) {
		t.Errorf("something is left: %v before, %v after", before, after)
	}
	kept := 0
	for _, m := range check.Read(t.Context(), s.store, room.ID(id)).Said() {
		if strings.HasPrefix(m.Text, "good ") {
			kept++
		}
	}
	if kept != frames/batch+1 {
		t.Errorf("%d of %d good messages are kept", kept, frames/batch+1)
	}
}

// pong waits until the server has seen to everything that was sent.
func (s *seat) pong(key string) {
	s.t.Helper()
	s.send(wire.Ping(key))
	s.until(func(e *roompb.ServerEvent) bool { return e.GetPong() != nil && e.GetClientId() == key })
}

// scramble makes a frame: random bytes, or a frame of the seeds with some bytes changed, cut or repeated.
func scramble(random *rand.Rand, seeds []nuisance) []byte {
	frame := make([]byte, random.IntN(200))
	if n := random.IntN(len(seeds) + 5); n < len(seeds) {
		frame = append([]byte(nil), seeds[n].frame[:min(len(seeds[n].frame), 4096)]...)
	} else {
		for i := range frame {
			frame[i] = byte(random.Uint32())
		}
	}
	for range random.IntN(4) {
		if len(frame) > 0 {
			frame[random.IntN(len(frame))] = byte(random.Uint32())
		}
	}
	if random.IntN(4) == 0 {
		frame = frame[:random.IntN(len(frame)+1)]
	}
	return frame
}

// harmless spares a frame that would end the membership, and with it the stream.
func harmless(frame []byte) []byte {
	m := new(roompb.ClientMessage)
	if proto.Unmarshal(frame, m) == nil && m.GetLeave() != nil {
		return nil
	}
	return frame
}

// A burden is what a process carries.
type burden struct {
	goroutines int
	heap       uint64
}

func (b burden) String() string {
	return fmt.Sprintf("%d goroutines, %d KiB", b.goroutines, b.heap>>10)
}

func measure() burden {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return burden{runtime.NumGoroutine(), m.HeapAlloc}
}

// FuzzFrame sends any frame to a server, before and after a join. The server answers, and goes on.
func FuzzFrame(f *testing.F) {
	s := start(f, serverConfig{})
	conn := dial(f, s.addr)
	id := mustRoom(f, conn)
	for _, n := range nuisances(f, id) {
		f.Add(n.frame[:min(len(n.frame), 4096)])
	}
	good := sit(f, conn, &roompb.JoinRoom{RoomId: id, UserId: "good"})
	f.Fuzz(func(t *testing.T, frame []byte) {
		stranger := open(t, conn)
		if err := stranger.SendBytes(harmless(frame)); err != nil {
			t.Fatal(err)
		}
		stranger.send(wire.Ping("ping"))
		stranger.until(func(e *roompb.ServerEvent) bool { return e.GetPong() != nil || e.GetClientId() == "ping" })
		stranger.leave()
		if err := good.SendBytes(harmless(frame)); err != nil {
			t.Fatal(err)
		}
		good.t = t
		good.pong("ping")
	})
}
