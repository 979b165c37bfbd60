package ballot

import (
	"testing"

	"parley/llm/scripted"
	"parley/room"
	"parley/seam"
)

// The demo model understands a ballot as it is asked for here, and the three of a room do not agree.
func TestDemo(t *testing.T) {
	demo, err := scripted.New(scripted.Config{Clock: seam.Real(), NoWait: true})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{view: council()}
	if err := newWorker(t, demo, nil).Do(t.Context(), room.CountJob{Poll: 20}, d); err != nil {
		t.Fatal(err)
	}
	voted := make(map[int]bool)
	for _, v := range d.only(t).(room.CountBallots).Votes {
		voted[v.Options[0]] = v.Reason != ""
	}
	if len(voted) != 3 {
		t.Errorf("votes for %v", voted)
	}
}
