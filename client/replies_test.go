package client

import (
	"testing"
	"testing/synctest"

	roompb "parley/proto/gen/api/room"
)

func TestReplyText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFakeRoom()
		s := join(t, r, JoinOptions{})
		next[Snapshot](t, s)
		steps := []struct {
			ev   *roompb.ServerEvent
			want string
		}{
			{thinking("7"), ""},
			{chunk("7", 0, "Hello, "), "Hello, "},
			{chunk("7", 7, "world"), "Hello, world"},
			{chunk("7", 0, "Hello, all of you"), "Hello, all of you"}, // a resume tells it from the beginning
			{chunk("7", 17, "!"), "Hello, all of you!"},
			{chunk("7", 7, "you"), "Hello, you"},
			{thinking("7"), ""}, // it starts over
			{chunk("7", 0, "Well"), "Well"},
		}
		for i, step := range steps {
			r.signal(step.ev)
			ev, err := s.Next(t.Context())
			for err == nil {
				if _, own := ev.(StateChanged); !own {
					break
				}
				ev, err = s.Next(t.Context())
			}
			if got, ok := s.Reply("7"); !ok || got.Text != step.want || got.ModelID != "demo" {
				t.Fatalf("step %d: %+v, want %q", i, got, step.want)
			}
		}
		r.signal(chunk("7", 99, "lost its beginning"))
		r.signal(chunk("7", 4, "."))
		if c := next[Chunk](t, s); c.Position != 4 {
			t.Fatalf("words that follow lost ones are told: %+v", c)
		}
		r.mu.Lock()
		r.post("", said("7", "Well."))
		r.mu.Unlock()
		read(t, s, 1)
		if _, ok := s.Reply("7"); ok {
			t.Fatal("the reply is still under way after its message")
		}
	})
}

func TestSnapshotHasReplies(t *testing.T) {
	r := replies{}
	r.see(Snapshot{Replies: []Reply{{ID: "7", Text: "so far"}}})
	if !r.see(Chunk{MessageID: "7", Position: 6, Text: ", so good"}) || string(r["7"].text) != "so far, so good" {
		t.Fatalf("%s", r["7"].text)
	}
	r.see(Snapshot{})
	if len(r) != 0 {
		t.Fatal("a snapshot without replies leaves some")
	}
}
