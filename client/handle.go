package client

import (
	"time"

	roompb "parley/proto/gen/api/room"
)

// handle takes one event from the stream. An error ends the stream.
func (s *Session) handle(ev *roompb.ServerEvent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link.heard, s.link.asked = s.clock.Now(), time.Time{}
	if err := s.refused(ev); err != nil {
		return err
	}
	if !s.link.live {
		s.link.live = true
		s.put(queued{event: StateChanged{State: Live}})
		notify(s.wake)
	}
	done := s.out.resolve(ev)
	if err := s.tellOf(ev, done != nil); err != nil {
		return err
	}
	if done != nil && done.leave && ev.GetError() == nil || s.leftElsewhere(ev) {
		return ErrLeft
	}
	return nil
}

// leftElsewhere reports whether this person gave up the membership by another seat: to join again would take it back.
// What a Session that began with a saved cursor is told on its first stream may be long ago.
func (s *Session) leftElsewhere(ev *roompb.ServerEvent) bool {
	left := ev.GetUserLeft()
	if !left.GetLeftRoom() || left.GetUserId() != s.join.User || s.out.leaves() {
		return false
	}
	return s.link.generation > 1 || s.join.Cursor == Cursor{}
}

// refused tells whether the event ends the session or its attempt to join: an error that no entry of the log is about
// is the answer to a join that is not answered yet, and somebody who joined elsewhere takes the seat over.
func (s *Session) refused(ev *roompb.ServerEvent) error {
	e := ev.GetError()
	if e == nil || ev.GetOffset() != 0 {
		return nil
	}
	code := Code(e.GetCode())
	if !s.link.live {
		return &refusal{errorFrom(e), lastingCode(code, s.place.cursor != Cursor{})}
	}
	if code == AlreadyJoined && ev.GetClientId() == "" {
		return &refusal{errorFrom(e), true}
	}
	return nil
}

// tellOf puts what the user is to know of ev into the queue. Answered says that a command gets it as its answer.
func (s *Session) tellOf(ev *roompb.ServerEvent, answered bool) error {
	if ev.GetRoomState() != nil {
		s.tellSnapshot(ev)
		return nil
	}
	event := eventFrom(ev)
	offset := ev.GetOffset()
	if offset == 0 {
		if event != nil && !(answered && ev.GetError() != nil) {
			s.put(queued{event: event})
		}
		return nil
	}
	if err := s.sameLog(ev.GetEpoch()); err != nil {
		return err
	}
	if s.place.admit(offset, ev.GetMore()) {
		s.put(queued{event, s.place.cursor})
	}
	return nil
}

func (s *Session) tellSnapshot(ev *roompb.ServerEvent) {
	snapshot := snapshotFrom(ev, s.shown || s.place.cursor != Cursor{})
	s.shown = true
	s.place.reset(snapshot.Cursor)
	s.put(queued{snapshot, snapshot.Cursor})
}

// sameLog refuses entries of another log than the cursor's: joining again will be answered with a snapshot.
func (s *Session) sameLog(epoch string) error {
	c := &s.place.cursor
	if c.Epoch == "" {
		c.Epoch = epoch
	}
	if epoch != "" && epoch != c.Epoch {
		return &Error{Code: Unavailable, Message: "the room's log was replaced"}
	}
	return nil
}
