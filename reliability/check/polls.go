package check

import (
	"maps"
	"slices"

	"parley/room"
)

// Polls counts polls and what became of their ballots.
type Polls struct {
	Opened, Closed        int
	Asked, Voted, Missed  int // ballots
	Resumed               int // ballots, each time
	Struck                int // times that a poll was begun again before its last ballot, at least
	PeopleVoted, Withdrew int // votes of people
}

// A Vote is what a reader was told of a vote, or what the log says of one.
type Vote struct {
	Offset  uint64
	Poll    room.Offset
	Voter   room.Identity // empty if it was not told
	Options []int
}

func (v Vote) equal(w Vote) bool {
	return v.Offset == w.Offset && v.Poll == w.Poll && v.Voter == w.Voter && slices.Equal(v.Options, w.Options)
}

// Votes lists the votes of the log, as its readers may know them: of anonymous ones nobody learns the voter.
func (l Log) Votes() []Vote {
	var list []Vote
	for _, e := range l.Entries {
		if v, ok := e.Event.(room.VoteCast); ok {
			vote := Vote{Offset: uint64(e.Offset), Poll: v.Poll, Options: v.Options}
			if v.Name != "" {
				vote.Voter = e.By
			}
			list = append(list, vote)
		}
	}
	return list
}

// A poll is what the entries say of one.
type poll struct {
	options   int
	anonymous bool
	asked     map[room.Offset]room.Identity // ballots, by their ids
	ends      map[room.Offset]int           // of ballots
	votes     map[room.Identity][]int       // by voter
	counted   int                           // ballots of an anonymous poll that became votes
	attempts  int
	closed    int
}

func newPoll() *poll {
	return &poll{
		attempts: 1, asked: make(map[room.Offset]room.Identity), ends: make(map[room.Offset]int), votes: make(map[room.Identity][]int),
	}
}

// PollsOf checks that each ballot a model was asked for came to exactly one vote or one failure to vote, and that each
// poll closed once, on the votes that are in the log.
func (r *Report) PollsOf(l Log) {
	polls, questions := make(map[room.Offset]*poll), make(map[string]int)
	of := func(id room.Offset) *poll {
		if polls[id] == nil {
			polls[id] = newPoll()
		}
		return polls[id]
	}
	for _, e := range l.Entries {
		switch v := e.Event.(type) {
		case room.PollOpened:
			r.Polls.Opened++
			if questions[v.Question]++; questions[v.Question] == 2 {
				r.fault(Duplicated, "poll %q of room %s", v.Question, l.Room)
			}
			p := of(e.Offset)
			p.options, p.anonymous = len(v.Options), v.Anonymous
		case room.BallotRequested:
			r.Polls.Asked++
			of(v.Ballot.Poll).asked[e.Offset] = room.ModelIdentity(v.Ballot.Model)
		case room.BallotResumed:
			r.Polls.Resumed++
			p := of(v.Ballot.Poll)
			p.attempts = max(p.attempts, v.Attempt)
		case room.BallotMissed:
			r.Polls.Missed++
			of(v.Ballot.Poll).ends[v.Ballot.ID]++
		case room.VoteCast:
			r.vote(of(v.Poll), e, v)
		case room.PollClosed:
			r.Polls.Closed++
			of(v.Poll).closed++
			r.count(l, of(v.Poll), v)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(polls)) {
		r.ballots(l, id, polls[id])
	}
}

func (r *Report) vote(p *poll, e room.Entry, v room.VoteCast) {
	voter := e.By
	if voter == room.System {
		voter = v.Voter
		p.counted++
		r.Polls.Voted++
	} else if _, model := voter.Model(); model {
		r.Polls.Voted++
		for id, by := range p.asked {
			if by == voter {
				p.ends[id]++
			}
		}
	} else {
		r.Polls.PeopleVoted++
	}
	if p.votes[voter] = v.Options; len(v.Options) == 0 {
		r.Polls.Withdrew++
		delete(p.votes, voter)
	}
}

// count compares a result with the votes.
func (r *Report) count(l Log, p *poll, v room.PollClosed) {
	counts := make([]int, p.options)
	for _, options := range p.votes {
		for _, n := range options {
			counts[n-1]++
		}
	}
	if !slices.Equal(counts, v.Result.Counts) || len(p.votes) != v.Result.Voters {
		r.fault(Miscounted, "poll %d of room %s: %d voted, for each option %v; the result says %d and %v",
			v.Poll, l.Room, len(p.votes), counts, v.Result.Voters, v.Result.Counts)
	}
}

// ballots checks what became of a poll's ballots.
func (r *Report) ballots(l Log, id room.Offset, p *poll) {
	r.Polls.Struck += p.attempts - 1
	if p.closed != 1 {
		r.fault(Unanswered, "poll %d of room %s closed %d times", id, l.Room, p.closed)
	}
	if p.anonymous {
		missed := 0
		for _, n := range p.ends {
			missed += n
		}
		r.end(l, id, len(p.asked), p.counted+missed, "the models")
		return
	}
	for ballot, model := range p.asked {
		r.end(l, id, 1, p.ends[ballot], string(model))
	}
}

func (r *Report) end(l Log, id room.Offset, want, got int, who string) {
	switch {
	case got < want:
		r.fault(Unvoted, "poll %d of room %s: %d of %d ballots of %s have an end", id, l.Room, got, want, who)
	case got > want:
		r.fault(Revoted, "poll %d of room %s: %d ballots of %s have %d ends", id, l.Room, want, who, got)
	}
}

// Votes checks that a reader who began after an offset was told of exactly the votes that follow it.
func (r *Report) Votes(l Log, who string, after uint64, saw []Vote) {
	want := slices.DeleteFunc(l.Votes(), func(v Vote) bool { return v.Offset <= after })
	if len(want) != len(saw) {
		r.fault(Diverged, "%s of room %s was told of %d votes, the log has %d", who, l.Room, len(saw), len(want))
		return
	}
	for i := range want {
		if !want[i].equal(saw[i]) {
			r.fault(Diverged, "%s of room %s was told of %+v where the log has %+v", who, l.Room, saw[i], want[i])
			return
		}
	}
}
