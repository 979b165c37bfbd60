package room

import (
	"cmp"
	"slices"
)

// PollVerdict is what a closed poll says.
type PollVerdict string

// The verdicts.
const (
	Decided  PollVerdict = "decided"
	Tied     PollVerdict = "tied"
	Unquorum PollVerdict = "no_quorum"
	Unvoted  PollVerdict = "no_votes"
)

// A PollResult is what a poll came to, as a fact of its own: it needs no vote beside it.
type PollResult struct {
	Verdict  PollVerdict `json:"verdict"`
	Winner   int         `json:"winner,omitempty"`  // the option, if decided: the one that most voters chose
	Leading  []int       `json:"leading,omitempty"` // the options that got the most votes
	Counts   []int       `json:"counts"`            // votes for each option
	Voters   int         `json:"voters"`
	Quorum   int         `json:"quorum,omitempty"` // as in PollOpened, as Tie
	Tie      TieRule     `json:"tie,omitempty"`
	Dissents []Dissent   `json:"dissents,omitempty"` // votes without the winner, those with a reason first, at most maxDissents
	Missing  []BallotRef `json:"missing,omitempty"`  // ballots that never came, of a mandatory poll
}

// A Dissent is a vote against what was decided.
type Dissent struct {
	By      Identity `json:"by,omitempty"` // nobody in an anonymous poll, as Name
	Name    string   `json:"name,omitempty"`
	Options []int    `json:"options"`
	Reason  string   `json:"reason,omitempty"`
}

// maxDissents keeps an event small enough for every store. The counts tell of the others.
const maxDissents = 32

// result counts the votes.
func (p *poll) result() PollResult {
	r := PollResult{
		Counts: make([]int, len(p.opened.Options)), Voters: len(p.votes), Quorum: p.opened.Quorum, Tie: p.opened.Tie,
		Missing: p.missing(),
	}
	for _, cast := range p.votes {
		for _, option := range cast.Options {
			if 0 < option && option <= len(r.Counts) {
				r.Counts[option-1]++
			}
		}
	}
	r.Leading = leading(r.Counts)
	switch {
	case len(r.Leading) == 0:
		r.Verdict = Unvoted
	case r.Voters < r.Quorum:
		r.Verdict = Unquorum
	default:
		r.Verdict, r.Winner = p.winner(r.Leading)
	}
	if r.Verdict == Decided {
		r.Dissents = p.dissents(r.Winner)
	}
	return r
}

// leading lists the options with the most votes; none if there is no vote.
func leading(counts []int) (list []int) {
	most := 0
	for _, n := range counts {
		most = max(most, n)
	}
	for i, n := range counts {
		if n == most && n > 0 {
			list = append(list, i+1)
		}
	}
	return list
}

// winner picks one of the leading options, as the tie rule says.
func (p *poll) winner(leading []int) (PollVerdict, int) {
	switch p.opened.Tie {
	case TieOpen:
	case TieFirst:
		leading = leading[:1]
	case TieCreator:
		chosen := p.voteOf(p.by).Options
		liked := slices.DeleteFunc(slices.Clone(leading), func(o int) bool { return !slices.Contains(chosen, o) })
		if len(liked) > 0 {
			leading = liked
		}
	}
	if len(leading) == 1 {
		return Decided, leading[0]
	}
	return Tied, 0
}

func (p *poll) dissents(winner int) (list []Dissent) {
	for _, cast := range p.votesFor(System) {
		if !slices.Contains(cast.Options, winner) {
			list = append(list, Dissent{cast.By, cast.Name, cast.Options, cast.Reason})
		}
	}
	slices.SortStableFunc(list, func(a, b Dissent) int { return cmp.Compare(min(1, len(b.Reason)), min(1, len(a.Reason))) })
	return list[:min(len(list), maxDissents)]
}

// missing lists the ballots of a mandatory poll that never came, in the order they were missed, then those awaited.
func (p *poll) missing() (list []BallotRef) {
	if !p.opened.Mandatory {
		return nil
	}
	for _, m := range p.missed {
		list = append(list, m.Ballot)
	}
	for i := range p.ballots {
		if p.ballots[i].open {
			list = append(list, p.ballots[i].ref)
		}
	}
	return list
}
