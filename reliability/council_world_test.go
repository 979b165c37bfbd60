package reliability

import (
	"fmt"

	"parley/room"
)

// council has somebody do something about polls, an autopilot, the policy or a summary.
func (w *world) council(who string, n int) string {
	what, n := n%12, n/12
	who = w.writer(who, n)
	switch what {
	case 0, 1:
		w.do(who, room.OpenPoll{
			Question: fmt.Sprint("poll ", n), Options: []room.Option{{Text: "yes"}, {Text: "no"}}, Multiple: n%5 < 2, Anonymous: n%4 == 1,
			People: n%6 == 5,
		})
		return who + " opens a poll"
	case 2:
		policy := room.Policy{ModelPolls: n%2 == 0}
		if n%4 == 0 {
			policy.Total.Tokens = 1 // too little for any call
		}
		w.as(w.admin(), room.SetPolicy{Policy: policy})
		return "the policy is set"
	case 3, 4:
		modes := []room.Mode{room.RoundRobin, room.Leader, room.Debate, room.Relay, room.Consensus}
		w.do(who, room.StartAutopilot{Goal: fmt.Sprint("goal ", n), Mode: modes[n%len(modes)]})
		return who + " starts an autopilot"
	case 5, 6:
		if a := w.look().Autopilot; a != nil && a.Paused {
			w.do(who, room.ResumeAutopilot{})
			return who + " resumes the autopilot"
		}
		w.do(who, room.PauseAutopilot{})
		return who + " pauses the autopilot"
	case 7:
		w.do(who, room.GuideAutopilot{Text: fmt.Sprint("mind ", n)})
		return who + " guides the autopilot"
	case 8:
		if n%2 == 0 {
			w.do(who, room.StopAutopilot{})
			return who + " stops the autopilot"
		}
		return w.ballots(who, n)
	case 9:
		if _, ok := w.puppet.summary(); ok {
			return w.summary(n)
		}
		w.as(room.System, room.RequestSummary{Upto: w.look().Offset})
		return "a summary is wanted"
	}
	if n%2 == 0 {
		return w.summary(n / 2)
	}
	return w.ballots(who, n/2)
}

// admin is one who may change the room; the system, which may not, if there is none.
func (w *world) admin() room.Identity {
	for _, p := range w.look().People {
		if !p.Left && p.Role == room.Admin {
			return room.PersonIdentity(p.ID)
		}
	}
	return room.System
}

// writer is somebody who may write, if there is anybody.
func (w *world) writer(who string, n int) string {
	var list []string
	for _, p := range w.look().People {
		if !p.Left && p.Role != room.Viewer {
			list = append(list, string(p.ID))
		}
	}
	if len(list) == 0 {
		return who
	}
	return list[n%len(list)]
}

// usage is what a call takes.
func usage(n int) room.Usage { return room.Usage{Input: n, Output: 1, Cost: room.Cost(n)} }

// ballots has somebody vote in a poll, or close it.
func (w *world) ballots(who string, n int) string {
	var open []room.Poll
	for _, p := range w.look().Polls {
		if p.Closed == nil {
			open = append(open, p)
		}
	}
	if len(open) == 0 {
		return "there is no poll"
	}
	p := open[n%len(open)]
	switch n % 7 {
	case 0:
		w.as(p.By, room.ClosePoll{Poll: p.ID})
		return fmt.Sprintf("poll %d is closed", p.ID)
	case 1, 2:
		w.do(who, room.CastVote{Poll: p.ID, Options: []int{1 + n%2}, Reason: fmt.Sprint("because ", n), Replace: n%3 == 0})
		return fmt.Sprintf("%s votes in poll %d", who, p.ID)
	}
	if len(p.Open) == 0 {
		return fmt.Sprintf("no ballot of poll %d is open", p.ID)
	}
	ref := p.Open[n%len(p.Open)]
	var job room.Job = room.BallotJob{Ballot: ref.ID, Poll: p.ID, Model: ref.Model}
	var end room.Command = room.CastBallot{Ballot: ref.ID, Options: []int{1 + n%2}, Reason: "so", Usage: usage(n)}
	if n%3 == 0 {
		end = room.MissBallot{Ballot: ref.ID, Reason: "asleep"}
	}
	if p.Opened.Anonymous {
		job = room.CountJob{Poll: p.ID}
		end = room.CountBallots{Poll: p.ID, Votes: []room.CastBallot{{Ballot: ref.ID, Options: []int{1}, Usage: usage(n)}}}
	}
	if n%5 == 0 {
		w.lose(job.ID())
		return job.ID() + " loses its worker"
	}
	w.puppet.end(job.ID(), end)
	return job.ID() + " ends"
}

// summary ends the summary that is wanted.
func (w *world) summary(n int) string {
	j, ok := w.puppet.summary()
	if !ok {
		return "no summary is wanted"
	}
	switch n % 4 {
	case 0:
		w.lose(j.ID())
		return j.ID() + " loses its worker"
	case 1:
		w.puppet.end(j.ID(), room.FailSummary{Summary: j.Summary, Reason: "it broke", Usage: usage(n)})
		return j.ID() + " fails"
	}
	w.puppet.end(j.ID(), room.CompleteSummary{Summary: j.Summary, Text: fmt.Sprint("they talked ", n), Usage: usage(n)})
	return j.ID() + " is written"
}
