package room

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// VoteCast says what somebody votes now. It takes the place of the voter's earlier vote. The author is the voter, or in
// an anonymous poll a pseudonym that only holders of Rules.Secret could connect with one.
//
// An anonymous poll promises that no entry, View or prompt names a voter, and that a voter still has one vote only. It
// does not promise more than that:
//   - whoever holds the secret can tell every voter by trying the members' ids,
//   - a person's vote stands in the log at the time it was cast, for those who saw who was there, and its reason is in
//     the voter's own words,
//   - BallotMissed names the models that did not vote, so a single one that did is known; what each call took is
//     accounted for by model, and long reasons take more,
//   - a server sees who sends it a vote before it is written.
type VoteCast struct {
	Poll    Offset   `json:"poll"`
	Voter   Identity `json:"voter,omitempty"`   // the pseudonym, if the server is the author: models' ballots of an anonymous poll
	Name    string   `json:"name,omitempty"`    // the voter's; empty in an anonymous poll
	Options []int    `json:"options,omitempty"` // the whole vote, in ascending order; empty means it was withdrawn
	Was     []int    `json:"was,omitempty"`     // the voter's vote before
	Reason  string   `json:"reason,omitempty"`
}

func (v VoteCast) apply(s *State, e *Entry) { s.applyPoll(v.Poll, e) }

// CastVote votes. In a single-choice poll a vote takes the place of the voter's earlier one; in a multiple-choice poll
// it adds to it, unless Replace is set: then Options are the whole vote. Replace without Options withdraws the vote. A
// vote that is added without a reason leaves the one there was.
type CastVote struct {
	Poll    Offset
	Options []int
	Reason  string
	Replace bool
}

func (c CastVote) decide(s *State, m Meta) ([]Event, error) { return s.castVote(m, c) }

func (s *State) castVote(m Meta, c CastVote) ([]Event, error) {
	person, err := s.writer(m.By)
	if err != nil {
		return nil, err
	}
	p, err := s.votable(m, c.Poll)
	if err != nil {
		return nil, err
	}
	if p.opened.modelsOnly() {
		return nil, refuse(CodeForbidden, "only models vote in this poll")
	}
	if err := s.checkSeal(p); err != nil {
		return nil, err
	}
	options, err := p.chosen(c)
	if err != nil {
		return nil, err
	}
	cast := VoteCast{Poll: p.id, Name: person.Name, Options: options, Reason: c.Reason}
	voter := m.By
	if p.opened.Anonymous {
		cast.Name, voter = "", s.pseudonym(p.id, m.By)
	}
	old := p.voteOf(voter)
	cast.add(p, c, old)
	if slices.Equal(cast.Options, old.Options) && (cast.Reason == old.Reason || len(cast.Options) == 0) {
		return nil, nil
	}
	return []Event{cast}, nil
}

// add makes the vote the whole one, after the voter's old one.
func (v *VoteCast) add(p *poll, c CastVote, old Vote) {
	v.Was = old.Options
	if !p.opened.Multiple || c.Replace || len(old.Options) == 0 {
		return
	}
	v.Options = ascending(slices.Concat(old.Options, v.Options))
	if v.Reason == "" {
		v.Reason = old.Reason
	}
}

// chosen checks a person's vote and lists its options.
func (p *poll) chosen(c CastVote) ([]int, error) {
	switch {
	case len(c.Reason) > maxReasonBytes:
		return nil, invalid("the reason has %d bytes, at most %d are allowed", len(c.Reason), maxReasonBytes).because(ReasonMessageTooLarge)
	case !utf8.ValidString(c.Reason):
		return nil, invalid("the reason is not valid UTF-8").because(ReasonInvalidUTF8)
	case len(c.Options) == 0 && c.Replace:
		return nil, nil
	}
	return p.options(c.Options)
}

// options checks the numbers of options, and lists each once in ascending order.
func (p *poll) options(numbers []int) ([]int, error) {
	for _, n := range numbers {
		if n < 1 || n > len(p.opened.Options) {
			return nil, invalid("the poll has no option %d: use 1 to %d", n, len(p.opened.Options)).because(ReasonInvalidOption)
		}
	}
	list := ascending(numbers)
	switch {
	case len(list) == 0:
		return nil, invalid("the vote names no option: use 1 to %d", len(p.opened.Options)).because(ReasonInvalidOption)
	case len(list) > 1 && !p.opened.Multiple:
		return nil, invalid("the vote names %d options: this poll takes one", len(list)).because(ReasonInvalidOption)
	}
	return list, nil
}

func ascending(numbers []int) []int {
	list := slices.Clone(numbers)
	slices.Sort(list)
	return slices.Compact(list)
}

const voterPrefix = "voter/"

// Author is the Meta under which a command's entries are written, and found again: its own, but for a vote in an
// anonymous poll, which is written under the voter's pseudonym with a cause that tells nothing.
func (s *State) Author(m Meta, c Command) Meta {
	v, ok := c.(CastVote)
	if !ok {
		return m
	}
	p := s.polls.find(v.Poll)
	if p == nil || !p.opened.Anonymous {
		return m
	}
	m.By, m.Cause = s.pseudonym(p.id, m.By), s.blindCause(p.id, m)
	return m
}

// pseudonym is who an identity is in one anonymous poll. It is another one in every other poll.
func (s *State) pseudonym(id Offset, by Identity) Identity {
	return Identity(voterPrefix + s.mac("voter", id, string(by)))
}

// blindCause is a cause that is as unique as the one it stands for, and as easily forgotten.
func (s *State) blindCause(id Offset, m Meta) string {
	if m.Cause == "" {
		return ""
	}
	blind := s.mac("cause", id, string(m.By), m.Cause)
	if strings.HasPrefix(m.Cause, Unkeyed) {
		return Unkeyed + blind
	}
	return blind
}

// seal is what tells a poll's secret from another one.
func (s *State) seal(id Offset) string { return s.mac("seal", id)[:16] }

// knows reports whether this server has the secret of a poll, if it needs one.
func (s *State) knows(p *poll) bool {
	return !p.opened.Anonymous || s.rules.Secret != "" && p.opened.Seal == s.seal(p.id)
}

// checkSeal refuses what would give a voter a second pseudonym: a server with another secret than the poll's.
func (s *State) checkSeal(p *poll) error {
	if s.knows(p) {
		return nil
	}
	return refuse(CodeUnavailable, "this server has not the secret under which the poll was opened: ask its operator to set it")
}

// mac authenticates parts for one purpose in one poll of one log.
func (s *State) mac(purpose string, id Offset, parts ...string) string {
	b := appendString(nil, purpose)
	b = appendString(b, string(s.id))
	b = appendString(b, s.epoch)
	b = appendString(b, strconv.FormatUint(uint64(id), 10))
	for _, part := range parts {
		b = appendString(b, part)
	}
	h := hmac.New(sha256.New, []byte(s.rules.Secret))
	_, _ = h.Write(b) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil))
}
