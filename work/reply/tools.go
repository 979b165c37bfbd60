package reply

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"

	"parley/llm"
	"parley/room"
)

const (
	mentionTool = "mention"
	optOutTool  = "opt_out"
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

// offered lists what the model may ask for this time.
func (w *Worker) offered(t *task) []llm.Tool {
	if w.mayAsk(t) {
		return w.tools
	}
	return w.tools[:1:1]
}

// A wish is what a model asked of its tools, as far as it can be granted.
type wish struct {
	mentions []mention
	optOut   bool
	reason   string
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
				slog.String("by", string(t.Model)), slog.String("tool", clip(c.Name, 64)), slog.String("cause", ignored))
		}
	}
	return all
}

// grant adds a call to the wish, or returns why not.
func (w *Worker) grant(t *task, c llm.ToolCall, all *wish) (ignored string) {
	switch c.Name {
	case optOutTool:
		var args optOutArgs
		_ = json.Unmarshal([]byte(c.Arguments), &args) // the call says enough without its reason
		all.optOut, all.reason = true, strings.TrimSpace(args.Reason)
		return ""
	case mentionTool:
		var args mentionArgs
		if json.Unmarshal([]byte(c.Arguments), &args) != nil {
			return "its arguments are not the JSON it asks for"
		}
		if !w.mayAsk(t) {
			return "it may not ask another model"
		}
		peer, ok := named(args.Model, t.peers)
		if !ok {
			return "no other model has this name"
		}
		all.mentions = append(all.mentions, mention{peer, strings.TrimSpace(args.Message)})
		return ""
	}
	return "there is no such tool"
}

// named finds the model that a model means.
func named(name string, among []room.Model) (room.Model, bool) {
	name = strings.TrimSpace(strings.TrimSuffix(strings.Trim(name, "@[]: \n\t"), modelMark))
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
