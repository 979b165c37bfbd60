package room

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// pollItem makes an item of a list that a poll's command has: a number, an option from "Text:Description", a vote from
// "BALLOT:1+2:reason", or a missed ballot from "BALLOT:reason". It panics when it is none.
func pollItem(t reflect.Type, item string) (any, bool) {
	head, tail, _ := strings.Cut(item, ":")
	switch t {
	case reflect.TypeFor[int]():
		return number(item), true
	case reflect.TypeFor[Option]():
		return Option{head, tail}, true
	case reflect.TypeFor[CastBallot]():
		options, reason, _ := strings.Cut(tail, ":")
		vote := CastBallot{Ballot: Offset(number(head)), Reason: reason, Usage: Usage{Input: len(reason)}}
		for n := range strings.SplitSeq(options, "+") {
			vote.Options = append(vote.Options, number(n))
		}
		return vote, true
	case reflect.TypeFor[MissBallot]():
		return MissBallot{Ballot: Offset(number(head)), Reason: tail, Usage: Usage{Input: len(tail)}}, true
	}
	return nil, false
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

// pollLines tells of a poll for a scenario.
func pollLines(p Poll) []string {
	state := "open"
	if p.Closed != nil {
		state = string(p.Closed.Ending)
	}
	lines := []string{fmt.Sprintf("poll %d by %s, %s: %q", p.ID, p.By, state, p.Opened.Question)}
	for _, v := range p.Votes {
		lines = append(lines, strings.TrimRight(fmt.Sprintf("  %q %s votes %v %s", v.By, v.Name, v.Options, v.Reason), " "))
	}
	for _, b := range p.Open {
		lines = append(lines, fmt.Sprintf("  %s is to vote, ballot %d", b.Name, b.ID))
	}
	for _, b := range p.Missed {
		lines = append(lines, fmt.Sprintf("  %s did not: %s", b.Ballot.Name, b.Reason))
	}
	return lines
}

// anyPoll is mostly the id of a poll that is open.
func anyPoll(s *State) *rapid.Generator[Offset] {
	return rapid.Custom(func(t *rapid.T) Offset {
		var ids []Offset
		for _, p := range s.View(System, 0).Polls {
			ids = append(ids, p.ID)
		}
		return rapid.SampledFrom(append(ids, 1, s.Head()+1)).Draw(t, "poll")
	})
}

// anyBallot is mostly the id of a ballot that is open.
func anyBallot(s *State) *rapid.Generator[Offset] {
	return rapid.Custom(func(t *rapid.T) Offset {
		var ids []Offset
		for _, p := range s.View(System, 0).Polls {
			for _, b := range p.Open {
				ids = append(ids, b.ID)
			}
		}
		return rapid.SampledFrom(append(ids, 0, 3)).Draw(t, "ballot")
	})
}

// pollCommands are the commands of polls.
func pollCommands(t *rapid.T, s *State, text string) []func() Command {
	poll, ballot := anyPoll(s).Draw(t, "poll"), anyBallot(s).Draw(t, "ballot")
	chosen := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 3).Draw(t, "chosen")
	usage := Usage{Output: rapid.IntRange(0, 2).Draw(t, "output")}
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	open := func() Command {
		c := OpenPoll{
			Question: "Which? " + text, Multiple: flag("multiple"), Anonymous: flag("anonymous"), Mandatory: flag("mandatory"),
			Quorum: rapid.IntRange(-1, 4).Draw(t, "quorum"), Tie: rapid.SampledFrom([]TieRule{"", TieCreator, TieFirst, "coin"}).Draw(t, "tie"),
			Among:  rapid.SliceOfN(anyModelID(), 0, 2).Draw(t, "among"),
			People: rapid.Bool().Draw(t, "people"),
		}
		for i := range rapid.IntRange(1, 4).Draw(t, "options") {
			c.Options = append(c.Options, Option{fmt.Sprint("option ", i), text})
		}
		if flag("deadline") {
			c.Deadline = morning.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "after")))
		}
		return c
	}
	return []func() Command{
		open, open,
		func() Command { return OpenPoll{Question: "Tea?", Options: []Option{{Text: "yes"}, {Text: text}}} },
		func() Command { return CastVote{Poll: poll, Options: []int{1}, Reason: text} },
		func() Command { return CastVote{Poll: poll, Options: chosen, Reason: text, Replace: flag("replace")} },
		func() Command { return ClosePoll{poll} },
		func() Command { return CastBallot{Ballot: ballot, Options: []int{2}, Reason: text, Usage: usage} },
		func() Command { return CastBallot{Ballot: ballot, Options: chosen, Usage: usage} },
		func() Command { return MissBallot{Ballot: ballot, Reason: text, Usage: usage} },
		func() Command { return ResumeBallot{ballot} },
		func() Command { return ResumeBallots{poll} },
		func() Command {
			vote := CastBallot{Ballot: ballot, Options: chosen, Reason: text, Usage: usage}
			return CountBallots{Poll: poll, Votes: []CastBallot{vote, vote}, Missed: []MissBallot{{Ballot: ballot}}}
		},
	}
}

// A pollLog is what a log says of its polls, read without a State.
type pollLog struct {
	opened map[Offset]PollOpened
	closed map[Offset]PollClosed
	votes  map[Offset]map[Identity][]int
	open   map[Offset]BallotRequested // ballots, by id
	due    time.Time
}

func readPolls(log []Entry) *pollLog {
	l := &pollLog{
		opened: make(map[Offset]PollOpened), closed: make(map[Offset]PollClosed),
		votes: make(map[Offset]map[Identity][]int), open: make(map[Offset]BallotRequested),
	}
	for i := range log {
		l.read(&log[i])
	}
	for id, p := range l.opened {
		if _, closed := l.closed[id]; !closed {
			l.due = sooner(l.due, p.Deadline)
		}
	}
	for _, b := range l.open {
		l.due = sooner(l.due, b.Until)
	}
	return l
}

func (l *pollLog) read(e *Entry) {
	switch v := e.Event.(type) {
	case PollOpened:
		l.opened[e.Offset], l.votes[e.Offset] = v, make(map[Identity][]int)
	case BallotRequested:
		l.open[e.Offset] = v
	case BallotMissed:
		delete(l.open, v.Ballot.ID)
	case VoteCast:
		l.votes[v.Poll][firstIdentity(v.Voter, e.By)] = v.Options
		for id, b := range l.open {
			if b.Ballot.Poll == v.Poll && (v.Voter != "" || ModelIdentity(b.Ballot.Model) == e.By) {
				delete(l.open, id)
			}
		}
	case PollClosed:
		l.closed[v.Poll] = v
		for id, b := range l.open {
			if b.Ballot.Poll == v.Poll {
				delete(l.open, id)
			}
		}
	}
}

func firstIdentity(a, b Identity) Identity {
	if a != "" {
		return a
	}
	return b
}

// law: what is open is wanted, each voter has one vote, a result counts just these, and where nobody is to know who
// voted, nothing tells.
func (l *pollLog) law(t *rapid.T, w *world) {
	wanted := make(map[string]bool)
	for id, b := range l.open {
		if l.opened[b.Ballot.Poll].Anonymous {
			wanted[CountJob{b.Ballot.Poll}.ID()] = true
			continue
		}
		wanted[BallotJob{Ballot: id}.ID()] = true
	}
	for job := range w.state.Jobs() {
		if _, reply := job.(ReplyJob); !reply && !wanted[job.ID()] {
			t.Fatalf("%s is wanted, %v are open", job.ID(), l.open)
		}
		delete(wanted, job.ID())
	}
	if len(wanted) > 0 {
		t.Fatalf("%v are not wanted", wanted)
	}
	for id, closed := range l.closed {
		l.counted(t, id, closed.Result)
	}
	for i := range w.log {
		if v, ok := w.log[i].Event.(VoteCast); ok && l.opened[v.Poll].Anonymous {
			tellsNothing(t, &w.log[i], v)
		}
	}
}

func (l *pollLog) counted(t *rapid.T, id Offset, got PollResult) {
	counts, voters := make([]int, len(l.opened[id].Options)), 0
	for _, options := range l.votes[id] {
		for _, o := range options {
			counts[o-1]++
		}
		voters += min(1, len(options))
	}
	if !slices.Equal(got.Counts, counts) || got.Voters != voters {
		t.Fatalf("poll %d counts %+v, its votes are %v", id, got, l.votes[id])
	}
}

func tellsNothing(t *rapid.T, e *Entry, v VoteCast) {
	voter := firstIdentity(v.Voter, e.By)
	if v.Name != "" || !strings.HasPrefix(string(voter), voterPrefix) || v.Voter != "" && e.By != System {
		t.Fatalf("an anonymous vote by %q: %+v", e.By, v)
	}
	if slices.Contains([]string{"k1", "k2", "k3", "k4", "~1"}, e.Cause) && e.By != System {
		t.Fatalf("an anonymous vote has the sender's key %q", e.Cause)
	}
}

// councilWith is a room of somebody with a name like no other, and two models with such names.
func councilWith(t failer, rules Rules) *world {
	w := newWorld(t, rules)
	ada := PersonIdentity("ada")
	w.must(ada, Create{Epoch: "e1", Name: "Council", Models: []Model{{ID: "xerxes", Name: "Xerxes"}, {ID: "yorick", Name: "Yorick"}}})
	w.must(ada, Join{Name: "Ada"})
	w.must(PersonIdentity("wilhelmina"), Join{Name: "Wilhelmina"})
	return w
}

// From the moment an anonymous poll is open until it is closed, no byte of the log tells a voter's vote.
func TestAnonymousVotesNameNobody(t *testing.T) {
	w := councilWith(t, smallRules())
	ada, will := PersonIdentity("ada"), PersonIdentity("wilhelmina")
	opened := w.must(ada, OpenPoll{Question: "Who?", Options: []Option{{Text: "left"}, {Text: "right"}}, Anonymous: true})
	id, first := opened[0].Offset, len(w.log)
	for i, c := range []CastVote{{Options: []int{1}, Reason: "why not"}, {Options: []int{2}}, {Replace: true}, {Options: []int{2}}} {
		c.Poll = id
		if _, err := w.do(Meta{By: will, Cause: fmt.Sprint("wilhelmina-", i)}, c); err != nil {
			t.Fatal(err)
		}
	}
	w.must(System, CountBallots{Poll: id, Votes: []CastBallot{
		{Ballot: id + 1, Options: []int{1}, Reason: "one"}, {Ballot: id + 2, Options: []int{2}, Reason: "two"},
	}})
	w.must(ada, ClosePoll{id})
	for i, e := range w.log[first:] {
		for _, name := range []string{"ilhelmina", "erxes", "orick"} {
			if bytes.Contains(w.stored[first+i], []byte(name)) {
				t.Errorf("entry %d, %T by %s, says %q: %s", e.Offset, e.Event, e.By, name, w.stored[first+i])
			}
		}
	}
	result := w.log[len(w.log)-1].Event.(PollClosed).Result
	if !slices.Equal(result.Counts, []int{1, 2}) || result.Voters != 3 || len(result.Dissents) != 1 {
		t.Errorf("result %+v", result)
	}
	for _, viewer := range []Identity{ada, will, System, ModelIdentity("xerxes")} {
		shown, _ := json.Marshal(w.state.View(viewer, 10).Polls[0].Votes)
		if bytes.Contains(shown, []byte("ilhelmina")) || bytes.Contains(shown, []byte(voterPrefix)) {
			t.Errorf("%s sees %s", viewer, shown)
		}
	}
}

// A log says the same to a server that has not the secret, or another one. Only there nobody votes any more: a voter
// would have a second pseudonym. Models are not asked for ever in vain.
func TestASecretIsNoPartOfTheLog(t *testing.T) {
	w := councilWith(t, smallRules())
	will := PersonIdentity("wilhelmina")
	poll := OpenPoll{Question: "Who?", Options: []Option{{Text: "left"}, {Text: "right"}}, Anonymous: true}
	id := w.must(will, poll)[0].Offset
	w.must(will, CastVote{Poll: id, Options: []int{2}})
	for _, secret := range []string{"", "another"} {
		rules := smallRules()
		rules.Secret = secret
		s := New("council", rules)
		for i := range w.log {
			s.Apply(&w.log[i])
		}
		if got, want := s.View(will, 10), w.state.View(will, 10); !reflect.DeepEqual(got, want) {
			t.Errorf("secret %q: %+v, want %+v", secret, got, want)
		}
		for by, c := range map[Identity]Command{
			will: CastVote{Poll: id, Options: []int{1}}, System: CountBallots{Poll: id},
		} {
			if _, err := s.Decide(Meta{At: w.at, By: by}, c); CodeOf(err) != CodeUnavailable {
				t.Errorf("secret %q, %T: %v", secret, c, err)
			}
		}
		lost, err := s.Decide(Meta{At: w.at, By: System}, ResumeBallots{id})
		if _, missed := lost[0].(BallotMissed); err != nil || !missed || len(lost) != len(s.View(will, 0).Polls[0].Open) {
			t.Errorf("secret %q: the ballots are resumed: %v, %+v", secret, err, lost)
		}
		_, err = s.Decide(Meta{At: w.at, By: will}, poll)
		if (err != nil) != (secret == "") {
			t.Errorf("secret %q: open another anonymous poll: %v", secret, err)
		}
	}
}

// The same person is somebody else in each poll, and the ballots' order is not that of the models.
func TestPseudonyms(t *testing.T) {
	w := councilWith(t, smallRules())
	will := PersonIdentity("wilhelmina")
	seen := make(map[Identity]bool)
	for range 3 {
		id := w.must(will, OpenPoll{Question: "Who?", Options: []Option{{Text: "left"}, {Text: "right"}}, Anonymous: true})[0].Offset
		votes := []CastBallot{{Ballot: id + 2, Options: []int{1}}, {Ballot: id + 1, Options: []int{2}}}
		there := w.must(System, CountBallots{Poll: id, Votes: votes})
		if a, b := there[0].Event.(VoteCast).Voter, there[1].Event.(VoteCast).Voter; a >= b {
			t.Errorf("%s is counted before %s", a, b)
		}
		voter := w.must(will, CastVote{Poll: id, Options: []int{1}})[0].By
		if seen[voter] || voter == will {
			t.Errorf("%s votes again", voter)
		}
		seen[voter] = true
		w.must(will, ClosePoll{id})
	}
}

// A vote that is sent again lands once, also when the poll is closed by then.
func TestAnAnonymousVoteLandsOnce(t *testing.T) {
	w := councilWith(t, smallRules())
	will := PersonIdentity("wilhelmina")
	id := w.must(will, OpenPoll{Question: "Who?", Options: []Option{{Text: "left"}, {Text: "right"}}, Anonymous: true})[0].Offset
	m, c := Meta{By: will, Cause: "k"}, CastVote{Poll: id, Options: []int{1}}
	cast, err := w.do(m, c)
	if err != nil || len(cast) != 1 {
		t.Fatal(cast, err)
	}
	w.must(will, ClosePoll{id})
	if at, ok := w.landed(m, c); !ok || at != cast[0].Offset {
		t.Errorf("landed at %d, %v", at, ok)
	}
	if _, ok := w.landed(Meta{By: PersonIdentity("ada"), Cause: "k"}, c); ok {
		t.Error("somebody else's key landed")
	}
	if unkeyed := w.state.Author(Meta{By: will, Cause: "~7"}, c).Cause; !strings.HasPrefix(unkeyed, Unkeyed) || unkeyed == "~7" {
		t.Errorf("unkeyed became %q", unkeyed)
	}
}

// A result stays small, however many disagree.
func TestDissentsAreBounded(t *testing.T) {
	p := &poll{opened: PollOpened{Options: []Option{{Text: "a"}, {Text: "b"}}}}
	for i := range 201 {
		v := vote{Vote: Vote{By: PersonIdentity(PersonID(fmt.Sprint(i))), Options: []int{1 + i%2}}}
		if i > 150 {
			v.Reason = "because"
		}
		p.votes = append(p.votes, v)
	}
	r := p.result()
	if len(r.Dissents) != maxDissents || r.Dissents[0].Reason == "" || r.Winner != 1 || r.Counts[1] != 100 {
		t.Errorf("result %+v", r)
	}
}

func TestPollLimits(t *testing.T) {
	w := councilWith(t, smallRules())
	ada := PersonIdentity("ada")
	many := func(n int) (list []Option) {
		for i := range n {
			list = append(list, Option{Text: fmt.Sprint(i)})
		}
		return list
	}
	for name, c := range map[string]struct {
		poll OpenPoll
		ok   bool
	}{
		"most options":     {OpenPoll{Options: many(mostOptions)}, true},
		"too many options": {OpenPoll{Options: many(mostOptions + 1)}, false},
		"long option":      {OpenPoll{Options: []Option{{Text: "a"}, {Text: strings.Repeat("ä", maxOptionRunes+1)}}}, false},
		"lines":            {OpenPoll{Options: []Option{{Text: "a"}, {Text: "b\nc"}}}, false},
		"description":      {OpenPoll{Options: []Option{{Text: "a"}, {"b", strings.Repeat("x", maxOptionBytes+1)}}}, false},
		"no description":   {OpenPoll{Options: []Option{{Text: "a"}, {"b", "\xff"}}}, false},
		"a year":           {OpenPoll{Options: many(2), Deadline: morning.Add(maxPollDuration)}, true},
		"more than a year": {OpenPoll{Options: many(2), Deadline: morning.Add(maxPollDuration + 1)}, false},
		"now":              {OpenPoll{Options: many(2), Deadline: morning}, false},
		"long ago":         {OpenPoll{Options: many(2), Deadline: time.Unix(-1<<60, 0)}, false},
		"far away":         {OpenPoll{Options: many(2), Deadline: time.Unix(1<<60, 0)}, false},
		"another zone":     {OpenPoll{Options: many(2), Deadline: time.Now().AddDate(-1, 0, 0)}, false},
	} {
		c.poll.Question = "Which?"
		_, err := w.state.Decide(Meta{At: w.at, By: ada}, c.poll)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
