package reliability

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"parley/reliability/bend"
	"parley/reliability/check"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

func TestDeltas(t *testing.T) {
	t.Parallel()
	deltas(t, 25)
}

func TestSoakDeltas(t *testing.T) {
	soak(t)
	deltas(t, 1000)
}

// deltas plays random sequences of commands and looks at each from many points: a state plus what follows it has to be
// the state at the end, without a break and after a resume. Every kind of event has to be reached.
func deltas(t *testing.T, sequences int) {
	random := seeded(t)
	kinds, views := make(map[string]int), 0
	for n := range sequences {
		w := newWorld(t, random)
		w.play(120)
		views += len(w.views)
		if diff := w.compare(); diff != "" {
			t.Fatalf("sequence %d: %s", n, diff)
		}
		maps.Copy(kinds, w.kinds())
	}
	t.Logf("%d sequences, %d states followed to the end, a third of them across a break", sequences, views)
	for _, kind := range eventKinds(t) {
		if kinds[kind] == 0 {
			t.Errorf("no sequence reached %s: teach world.step to", kind)
		}
	}
}

// A server that forgets to tell of one kind of event is found out, whichever it is.
func TestDeltasNoticeBugs(t *testing.T) {
	t.Parallel()
	for _, p := range payloads() {
		t.Run(string(p.Name()), func(t *testing.T) {
			random := seeded(t)
			rule := bend.Always(func(e *roompb.ServerEvent) []*roompb.ServerEvent {
				if e.ProtoReflect().Has(p) {
					return nil
				}
				return bend.Leave(e)
			})
			for range 200 {
				w := newBentWorld(t, random, rule)
				w.play(80)
				if w.compare() != "" {
					return
				}
			}
			t.Error("200 sequences looked right")
		})
	}
}

// compare brings all views to the end and tells the first difference to a fresh state.
func (w *world) compare() string {
	w.settle()
	fresh := sit(w.t, w.conn, w.eye(nil)).state
	fresh.ResetReason = ""
	fresh = told(fresh)
	for _, v := range w.views {
		if !proto.Equal(told(v.fold.whole()), fresh) {
			return fmt.Sprintf("a view taken after step %d, broken after %d of %d (-1: never), differs:\n%s\nsteps:\n%s",
				v.from, v.cut, len(w.steps), firstDifference(told(v.fold.whole()), fresh), strings.Join(w.steps[v.from:], "\n"))
		}
	}
	return ""
}

// firstDifference shows where two states begin to differ, with some lines around.
func firstDifference(folded, fresh proto.Message) string {
	a, b := strings.Split(prototext.Format(folded), "\n"), strings.Split(prototext.Format(fresh), "\n")
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	around := func(l []string) string { return strings.Join(l[max(0, n-4):min(len(l), n+3)], "\n") }
	return "folded:\n" + around(a) + "\nfresh:\n" + around(b)
}

// kinds counts the kinds of events in the log.
func (w *world) kinds() map[string]int {
	kinds := make(map[string]int)
	for _, e := range check.Read(w.t.Context(), w.server.store, room.ID(w.room)).Entries {
		kind, _, err := room.EncodeEvent(e.Event)
		if err != nil {
			w.t.Fatal(err)
		}
		kinds[kind]++
	}
	return kinds
}

// eventKinds finds the names of all events in the source, so that a new one is missed here.
func eventKinds(t testing.TB) []string {
	t.Helper()
	source, err := os.ReadFile("../room/codec.go")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, m := range regexp.MustCompile(`"([a-z_]+)":\s+reflect\.TypeFor`).FindAllSubmatch(source, -1) {
		kinds = append(kinds, string(m[1]))
	}
	if len(kinds) < 10 {
		t.Fatalf("room/codec.go names only %v", kinds)
	}
	return kinds
}
