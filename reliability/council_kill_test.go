package reliability

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"parley/journal/embedded"
	"parley/reliability/check"
	"parley/room"
)

// Three models vote in polls of four options, one poll after the other, while the server is killed.
func TestCouncilKill(t *testing.T) {
	t.Parallel()
	besiege(t, shortSieges)
}

func TestSoakCouncilKill(t *testing.T) {
	soak(t)
	besiege(t, 500)
}

// besiege kills a sound server so often between the opening of a poll and its last ballot.
func besiege(t *testing.T, strikes int) {
	h := newSiege(t, sound)
	for h.Polls.Struck < strikes {
		if h.serial > strikes {
			t.Fatalf("few kills met a ballot: %+v", h.Polls)
		}
		h.round(min(strikes-h.Polls.Struck+1, killsPerRound))
	}
	h.told(t)
	if err := h.Err(); err != nil {
		t.Error(err)
	}
	if h.Polls.Voted < 3*h.Polls.Missed {
		t.Errorf("too few ballots became votes to say anything of votes: %+v", h.Polls)
	}
}

// Each planted bug has to be reported under its own name.
func TestCouncilKillNoticesBugs(t *testing.T) {
	t.Parallel()
	for b, want := range map[bug]check.Fault{
		votesTwice: check.Revoted, losesVotes: check.Unvoted, miscounts: check.Miscounted, peeks: check.Shown,
	} {
		t.Run(string(b), func(t *testing.T) {
			h := newSiege(t, b)
			for range 20 {
				h.round(2)
				if h.Faults[want] > 0 {
					return
				}
			}
			t.Errorf("40 kills showed no vote %s: %v", want, h.Faults)
		})
	}
}

// A siege is a killer whose fleet is a council.
type siege struct {
	*killer
	prompts int // how many were checked
}

func newSiege(t *testing.T, b bug) *siege {
	h := &siege{killer: newKiller(t, b)}
	h.cfg.Prompts = filepath.Join(t.TempDir(), "prompts")
	h.most = 5 // a poll and its ballots are four
	h.points = slices.DeleteFunc(h.points, func(p string) bool { return strings.Contains(p, ".follow.") })
	h.hits = func(point string) int { return min(mostHits(point), 6) }
	return h
}

func (h *siege) told(t *testing.T) {
	h.report(t)
	t.Logf("polls: %+v; %d prompts", h.Polls, h.prompts)
}

// round has a council live through so many kills, then lets it finish and checks what is left.
func (h *siege) round(kills int) {
	h.serial++
	c := spawn(h.t, h.cfg, "")
	conn := h.serve(c)
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	f, chair := h.council(ctx, conn)
	c, conn = h.rage(f, c, conn, kills)
	close(chair.ending)
	f.finish(ctx, h.t, conn)
	_ = conn.Close()
	c.stop(h.t)
	c.noise(h.t)
	h.check(f, chair)
}

func (h *siege) council(ctx context.Context, conn *grpc.ClientConn) (*fleet, *chair) {
	id, err := newRoom(ctx, conn, "ada", "bob", "cyd")
	if err != nil {
		h.t.Fatal(err)
	}
	f := &fleet{beacon: newBeacon()}
	reader := newTail(id, fmt.Sprintf("end of %d", h.serial))
	f.tails = append(f.tails, reader)
	if err := reader.look(ctx, conn); err != nil {
		h.t.Fatal(err)
	}
	f.wg.Go(func() { f.note(h.t, keep(ctx, f.beacon, reader.live)) })
	c := &chair{room: id, name: fmt.Sprintf("chair%d", h.serial), models: 3, acks: &h.acks, ending: make(chan struct{})}
	f.writing.Go(func() { f.note(h.t, keep(ctx, f.beacon, c.live)) })
	return f, c
}

func (h *siege) check(f *fleet, c *chair) {
	store, err := embedded.Open(embedded.Config{Dir: h.cfg.Dir})
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	r := f.tails[0]
	l := check.Read(h.t.Context(), store, room.ID(r.room))
	h.Log(l, nil)
	h.PollsOf(l)
	h.Reader(l, "the tail", r.after, r.saw)
	h.Votes(l, "the tail", r.after, r.votes)
	h.add(check.Lost, f.lost)
	h.add(check.Diverged, r.bent)
	if r.resets > 0 {
		h.Add(check.Diverged, fmt.Sprintf("%d resumes of room %s were reset", r.resets, r.room))
	}
	for _, offset := range c.opened {
		if offset > uint64(len(l.Entries)) {
			h.Add(check.Lost, fmt.Sprintf("poll %d of room %s", offset, r.room))
		} else if _, ok := l.Entries[offset-1].Event.(room.PollOpened); !ok {
			h.Add(check.Moved, fmt.Sprintf("poll %d of room %s", offset, r.room))
		}
	}
	h.blind()
}

// blind looks for votes in what the models were told.
func (h *siege) blind() {
	data, err := os.ReadFile(h.cfg.Prompts)
	if err != nil {
		h.t.Fatal(err)
	}
	prompts := strings.SplitAfter(string(data), promptEnd)
	for _, p := range prompts[h.prompts : len(prompts)-1] {
		if !isBallot(p) {
			h.t.Errorf("a model was told something else than to vote: %.300q", p)
		}
		if strings.Contains(p, reasonMark) {
			h.Add(check.Shown, fmt.Sprintf("%.2000q", p))
		}
	}
	h.prompts = len(prompts) - 1
}
