package client

import (
	"context"
	"time"

	roompb "parley/proto/gen/api/room"
	"parley/seam"
)

// A link is what belongs to one stream. The session's mutex guards it.
type link struct {
	generation int // counts the streams, from 1
	cancel     context.CancelCauseFunc
	joined     bool // the join was handed to the stream
	live       bool // the room has answered it
	ping       bool // one is to be sent
	full       bool // nothing is read until the reader makes room
	heard      time.Time
	asked      time.Time // when the server was asked whether it is there; zero if it answered since
	timer      seam.Timer
	signals    []*roompb.ClientMessage
}

// mostSignals bounds what waits for a stream that cannot take it.
const mostSignals = 16

func (s *Session) begin(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link = link{generation: s.link.generation + 1, cancel: cancel, heard: s.clock.Now()}
	s.place.reconnected()
	s.out.renew()
	s.arm(answerTime)
}

// finish keeps the watch from firing once more.
func (s *Session) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link.timer.Stop()
	s.link.cancel, s.link.live = nil, false
}

func (s *Session) wasLive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link.live
}

func (s *Session) arm(d time.Duration) {
	generation := s.link.generation
	s.link.timer = s.clock.AfterFunc(d, func() { s.watch(generation) })
}

// watch asks a server that was silent for long whether it is there, and gives up the stream if it does not answer.
func (s *Session) watch(generation int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, now := &s.link, s.clock.Now()
	if l.generation != generation || l.cancel == nil {
		return
	}
	if l.full {
		l.heard, l.asked = now, time.Time{}
	}
	quiet := now.Sub(l.heard)
	switch {
	case !l.live && quiet >= answerTime, !l.asked.IsZero() && now.Sub(l.asked) >= answerTime:
		l.cancel(&Error{Code: Unavailable, Message: errSilent.Error(), cause: errSilent})
	case !l.live:
		s.arm(answerTime - quiet)
	case quiet < idleTime:
		s.arm(idleTime - quiet)
	default:
		l.ping, l.asked = true, now
		notify(s.wake)
		s.arm(answerTime)
	}
}

// signal sends what is not worth keeping for later.
func (s *Session) signal(msg *roompb.ClientMessage) error {
	if err := sendable(msg); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if !s.link.live || len(s.link.signals) >= mostSignals {
		return ErrOffline
	}
	s.link.signals = append(s.link.signals, msg)
	notify(s.wake)
	return nil
}

// rejoin ends the present stream, if there is one, so that the next one joins with the present options.
func (s *Session) rejoin() {
	if s.link.cancel != nil {
		s.link.cancel(errRejoin)
	}
}
