package reliability

import (
	"testing"

	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// Models that are told to mention one another for ever; each says what it was told, and more.
const (
	pairScript = `
name: pair
rules:
  - {system: '^You are ada\.', replies: ['@bob and {message}']}
  - {replies: ['@ada and {message}']}
`
	ringScript = `
name: ring
rules:
  - {system: '^You are ada\.', replies: ['@bob and {message}']}
  - {system: '^You are bob\.', replies: ['@cyd and {message}']}
  - {replies: ['@ada and {message}']}
`
	parrotScript = `
name: parrot
rules:
  - {system: '^You are ada\.', replies: ['@bob you are right']}
  - {replies: ['@ada you are right']}
`
)

// Models that mention one another for ever are stopped, and the room says why.
func TestMentionsForEver(t *testing.T) {
	shallow := room.DefaultRules()
	shallow.MaxDepth = 2
	poor := room.DefaultRules()
	poor.Total = room.Allowance{Cost: 3 * turnPrice}
	for name, c := range map[string]struct {
		script  string
		rules   room.Rules
		why     roompb.Withholding
		replies int
	}{
		"two, by the pair":          {pairScript, room.DefaultRules(), roompb.Withholding_WITHHOLDING_REPETITION, 4},
		"two, by the depth":         {pairScript, shallow, roompb.Withholding_WITHHOLDING_DEPTH, 3},
		"two who repeat themselves": {parrotScript, room.DefaultRules(), roompb.Withholding_WITHHOLDING_REPETITION, 3},
		"three in a ring, by depth": {ringScript, room.DefaultRules(), roompb.Withholding_WITHHOLDING_DEPTH, 5},
		"two, by the room's money":  {parrotOfTen, poor, roompb.Withholding_WITHHOLDING_BUDGET, 3},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHall(t, councilConfig{script: c.script, maxTokens: turnWords}, c.rules, "ada", "bob", "cyd")
			h.bea.say("go", "@ada go")
			var end *roompb.ReplyWithheld
			h.bea.until(func(e *roompb.ServerEvent) bool {
				end = e.GetReplyWithheld()
				return end != nil
			})
			if end.GetWhy() != c.why || end.GetText() == "" || len(end.GetLlmIds()) != 1 {
				t.Errorf("the room says %v, want %v", end, c.why)
			}
			if calls := len(h.witness.prompts()); calls != c.replies {
				t.Errorf("%d replies were given, want %d", calls, c.replies)
			}
			if state := h.sit("eye").state; len(state.GetReplies()) > 0 {
				t.Errorf("after the end %v is under way", state.GetReplies())
			}
		})
	}
}

// parrotOfTen costs turnPrice for each reply.
const parrotOfTen = `
name: ten
rules:
  - {match: 'go', system: '^You are ada\.', replies: ['@bob one two three four five six seven eight go']}
  - {match: 'ten', system: '^You are ada\.', replies: ['@bob one two three four five six seven eight nine']}
  - {replies: ['@ada one two three four five six seven eight ten']}
`
