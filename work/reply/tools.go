package reply

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"

	"parley/llm"
	"parley/room"
	"parley/work/talk"
)

const (
	mentionTool = "mention"
	optOutTool  = "opt_out"
	pollTool    = "create_poll"
	finishTool  = "finish"
	askTool     = "ask_people"
)

type mentionArgs struct {
	Model   string `json:"model" desc:"the name of the model to ask"`
	Message string `json:"message" desc:"what to tell or ask it; everybody in the room will read it"`
}

type optOutArgs struct {
	Reason string `json:"reason" desc:"why, in a few words"`
}

// The tools. A model may always decline: a person who asks everybody does not need an answer from each, and a model
// that is asked by another one needs a way to end the talk.
func optOutOffer() llm.Tool {
	return llm.Tool{
		Name:        optOutTool,
		Description: "Decline to answer, instead of writing anything, when you have nothing to add.",
		Schema:      llm.SchemaOf[optOutArgs](),
	}
}

func mentionOffer() llm.Tool {
	return llm.Tool{
		Name:        mentionTool,
		Description: "Ask another model of this room to reply once your message is finished. You will not see its answer in this message.",
		Schema:      llm.SchemaOf[mentionArgs](),
	}
}

func pollOffer() llm.Tool {
	return llm.Tool{
		Name:        pollTool,
		Description: "Open a poll once your message is finished: everybody in the room, people and models, is asked to vote. Use it when somebody wants a vote, or when only one can settle the matter.",
		Schema:      llm.SchemaOf[pollArgs](),
	}
}

func finishOffer() llm.Tool {
	return llm.Tool{
		Name:        finishTool,
		Description: "End the work on the goal, because it is reached. Nobody speaks after you.",
		Schema:      llm.SchemaOf[finishArgs](),
	}
}

func askOffer() llm.Tool {
	return llm.Tool{
		Name:        askTool,
		Description: "End the work on the goal with a question that only the people can decide. It is put to them as a poll.",
		Schema:      llm.SchemaOf[askArgs](),
	}
}

// offered lists what the model may ask for this time.
func (w *Worker) offered(t *task) []llm.Tool {
	offers := []llm.Tool{w.tools.optOut}
	if t.turn != nil {
		if t.turn.Part.MayEnd() {
			offers = append(offers, w.tools.finish, w.tools.ask)
		}
		return offers
	}
	if w.mayAsk(t) {
		offers = append(offers, w.tools.mention)
	}
	if t.view.Policy.ModelPolls {
		offers = append(offers, w.tools.poll)
	}
	return offers
}

// tools are described once.
type tools struct{ optOut, mention, poll, finish, ask llm.Tool }

func newTools() tools {
	return tools{optOut: optOutOffer(), mention: mentionOffer(), poll: pollOffer(), finish: finishOffer(), ask: askOffer()}
}

// A mention asks a model something.
type mention struct {
	model   room.Model
	message string
}

// wishes reads the tool calls. One that cannot be granted is logged and forgotten: the model is not asked again.
func (w *Worker) wishes(t *task, calls []llm.ToolCall) wish {
	var all wish
	for _, c := range calls {
		if ignored := w.grant(t, c, &all); ignored != "" {
			w.cfg.Log.Warn("tool call ignored", slog.String("room", string(t.view.Room)), slog.Uint64("reply", uint64(t.ID)),
				slog.String("by", string(t.Model)), slog.String("tool", talk.Clip(c.Name, 64)), slog.String("cause", ignored))
		}
	}
	return all
}

// grant adds a call to the wish, or returns why not.
func (w *Worker) grant(t *task, c llm.ToolCall, all *wish) (ignored string) {
	if !slices.ContainsFunc(w.offered(t), func(o llm.Tool) bool { return o.Name == c.Name }) {
		return "it was not offered"
	}
	const broken = "its arguments are not the JSON it asks for"
	args := []byte(c.Arguments)
	switch c.Name {
	case optOutTool:
		var a optOutArgs
		_ = json.Unmarshal(args, &a) // the call says enough without its reason
		all.optOut, all.reason = true, strings.TrimSpace(a.Reason)
	case mentionTool:
		var a mentionArgs
		if json.Unmarshal(args, &a) != nil {
			return broken
		}
		peer, ok := named(a.Model, t.peers)
		if !ok {
			return "no other model has this name"
		}
		all.mentions = append(all.mentions, mention{peer, strings.TrimSpace(a.Message)})
	default:
		if all.finish != nil || all.ask != nil || all.poll != nil {
			return "one such wish is enough"
		}
		var err error
		switch c.Name {
		case finishTool:
			all.finish, ignored, err = read[finishArgs](args)
		case askTool:
			all.ask, ignored, err = read[askArgs](args)
		case pollTool:
			all.poll, ignored, err = read[pollArgs](args)
		}
		if err != nil {
			return broken
		}
	}
	return ignored
}

// A wisher is the arguments of a tool that ask for a T; nil if they do not, with the reason.
type wisher[T any] interface{ wish() (*T, string) }

// read reads the arguments of a call.
func read[A wisher[T], T any](data []byte) (*T, string, error) {
	var args A
	if err := json.Unmarshal(data, &args); err != nil {
		return nil, "", err
	}
	wanted, ignored := args.wish()
	return wanted, ignored, nil
}

// named finds the model that a model means.
func named(name string, among []room.Model) (room.Model, bool) {
	name = strings.TrimSpace(strings.TrimSuffix(strings.Trim(name, "@[]: \n\t"), talk.ModelMark))
	ids := room.Mentions("@"+name, among, false)
	for _, m := range among {
		if slices.Contains(ids, m.ID) {
			return m, true
		}
	}
	return room.Model{}, false
}

// mention says in the text what the model told another one by the tool, unless it is there already.
func (s *speech) mention(m mention, models []room.Model) {
	switch {
	case m.message != "" && strings.Contains(s.text(), m.message):
		return
	case slices.Contains(room.Mentions(m.message, models, false), m.model.ID):
		s.paragraph(m.message)
		return
	case m.message == "" && slices.Contains(room.Mentions(s.text(), models, false), m.model.ID):
		return
	}
	text := strings.TrimSpace("@" + m.model.Name + " " + m.message)
	if !slices.Contains(room.Mentions(text, models, false), m.model.ID) { // the message goes on like a longer name
		text = strings.TrimSpace("@" + string(m.model.ID) + " " + m.message)
	}
	s.paragraph(text)
}
