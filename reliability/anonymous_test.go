package reliability

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"parley/reliability/check"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// anonymousScript has no model name itself in what others will read.
const anonymousScript = `
name: anonymous
rules:
  - match: '\[Vote now'
    system: '^You are vote-ada\.'
    replies: [{tool_calls: [{name: vote_on_poll, arguments: {options: ['4'], reason: 'Reason of the first kind'}}]}]
  - match: '\[Vote now'
    replies: [{tool_calls: [{name: vote_on_poll, arguments: {options: ['2'], reason: 'Reason of the second kind'}}]}]
  - replies: ['I have nothing to say about it.']
`

// voters are who votes here. No other id holds one of these.
var voters = []string{"vote-ada", "vote-bob", "vote-cem", "vote-dora"}

// names lists the voters that a text names.
func names(text string) []string {
	return slices.DeleteFunc(slices.Clone(voters), func(v string) bool { return !strings.Contains(text, v) })
}

// Nothing of an anonymous vote leads to its voter: not its entry, not what anybody is told of it, no history, no
// prompt. Still each voter has one vote.
func TestAnonymousPoll(t *testing.T) {
	rules := room.DefaultRules()
	rules.Secret = "of this server alone"
	h := newHall(t, councilConfig{script: anonymousScript}, rules, "vote-ada", "vote-bob")
	cem, dora, eye := h.sit("vote-cem"), h.sit("vote-dora"), h.sit("eye")
	p := fourOptions("Which fruit?")
	p.Anonymous = true
	h.bea.send(createPoll("open", p))
	id := h.bea.until(func(e *roompb.ServerEvent) bool { return e.GetPollCreated() != nil }).GetPollCreated().GetPoll().GetPollId()

	var told []*roompb.ServerEvent // of votes, to anybody
	hear := func(s *seat, last func(*roompb.ServerEvent) bool) {
		t.Helper()
		s.until(func(e *roompb.ServerEvent) bool {
			if e.GetPollVoted() != nil || e.GetPollClosed() != nil {
				told = append(told, e)
			}
			return last(e)
		})
	}
	vote := func(s *seat, key, option string) {
		t.Helper()
		s.send(castVote(key, id, reasonMark+"somebody for "+option, option))
		hear(s, func(e *roompb.ServerEvent) bool { return e.GetAccepted() != nil && e.GetClientId() == key })
	}
	vote(cem, "1", "1")
	vote(dora, "1", "1")
	vote(cem, "2", "3")                // it moves
	vote(cem, "2", "3")                // it is the same one, sent again
	for _, asked := 0, 0; asked < 2; { // models vote in one go
		hear(h.bea, func(e *roompb.ServerEvent) bool { return e.GetPollVoted() != nil })
		if by := told[len(told)-1].GetPollVoted().GetVote().GetReason(); strings.HasSuffix(by, "kind") {
			asked++
		}
	}
	h.bea.say("after", "@vote-ada what do you think of the votes?")
	h.bea.until(func(e *roompb.ServerEvent) bool { return e.GetLlmDone() != nil })
	h.bea.send(closePoll("close", id))
	var result *roompb.PollResult
	for _, s := range []*seat{h.bea, cem, dora, eye} {
		hear(s, func(e *roompb.ServerEvent) bool {
			result = e.GetPollClosed().GetResult()
			return result != nil
		})
	}
	if want := []uint32{1, 1, 1, 1}; !slices.Equal(result.GetCounts(), want) || result.GetVoters() != 4 {
		t.Errorf("the result is %v, want %v of 4 voters", result, want)
	}
	for _, e := range told {
		if e.GetPollVoted() != nil && e.GetClientId() != "" || len(names(prototext.Format(e))) > 0 {
			t.Errorf("a follower was told %v", e)
		}
	}
	h.anonymousLog(t, id)
	h.anonymousState(t)
	h.anonymousPrompts(t)
}

// What the test above looks for is found where a poll is not anonymous.
func TestPollThatIsNotAnonymous(t *testing.T) {
	h := newHall(t, councilConfig{script: anonymousScript}, room.Rules{}, "vote-ada", "vote-bob")
	h.bea.send(createPoll("open", fourOptions("Which fruit?")))
	for range 2 {
		e := h.bea.until(func(e *roompb.ServerEvent) bool { return e.GetPollVoted() != nil })
		if len(names(prototext.Format(e))) != 1 {
			t.Errorf("a vote was told as %v", e)
		}
	}
	state := h.sit("late").state
	if found := names(prototext.Format(state.GetPolls()[0])); len(found) != 2 {
		t.Errorf("the state names %v", found)
	}
}

// anonymousLog looks at the entries.
func (h *hall) anonymousLog(t *testing.T, id string) {
	t.Helper()
	l := h.log()
	var report check.Report
	report.PollsOf(l)
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	if p := report.Polls; p.PeopleVoted != 3 || p.Voted != 2 || p.Closed != 1 {
		t.Errorf("the log of poll %s has %+v", id, p)
	}
	by := make(map[room.Identity]int)
	for _, e := range l.Entries {
		v, ok := e.Event.(room.VoteCast)
		if !ok {
			continue
		}
		by[e.By]++
		_, body, err := room.EncodeEvent(v)
		if err != nil {
			t.Fatal(err)
		}
		if whole := string(e.By) + e.Cause + string(body); len(names(whole)) > 0 || strings.Contains(whole, "vote-") {
			t.Errorf("entry %d by %s, caused by %q, says %s", e.Offset, e.By, e.Cause, body)
		}
	}
	if len(by) != 3 || by[room.System] != 2 {
		t.Errorf("the votes are by %v, want two people under one pseudonym each, and the server", by)
	}
}

// anonymousState looks at what somebody sees who comes later.
func (h *hall) anonymousState(t *testing.T) {
	t.Helper()
	state := h.sit("late").state
	if len(state.GetClosedPolls()) != 1 || len(state.GetPolls()) > 0 {
		t.Fatalf("the state has %v", state)
	}
	if text := prototext.Format(state.GetClosedPolls()[0]); len(names(text)) > 0 || strings.Count(text, reasonMark) < 4 {
		t.Errorf("the state says of the poll: %s", text)
	}
	history, err := roompb.NewRoomClient(h.conn).LoadHistory(t.Context(), &roompb.LoadHistoryRequest{RoomId: h.room})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range history.GetMessages() {
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), reasonMark) || m.GetSenderType() == roompb.ParticipantType_HUMAN && m.GetSenderId() != "bea" {
			t.Errorf("the history has %v", m)
		}
	}
}

// anonymousPrompts looks at what the models were told: two ballots and a reply. That they know each other and the
// people by name is no secret; a reason, or a pseudonym, beside it would be one.
func (h *hall) anonymousPrompts(t *testing.T) {
	t.Helper()
	prompts := h.witness.prompts()
	if len(prompts) != 3 {
		t.Errorf("the models were called %d times", len(prompts))
	}
	for _, p := range prompts {
		if strings.Contains(p, reasonMark) || strings.Contains(p, "voter/") {
			t.Errorf("a model was told: %s", p)
		}
	}
}
