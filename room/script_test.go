package room

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// A line of a scenario is somebody, a verb and fields: `ada post text="@claude hello" reply_to=7`. A name is a person,
// with "@" a model; system and nobody are themselves. Values with blanks are quoted as in Go; lists have commas.
type line struct {
	who    string
	verb   string
	fields [][2]string
}

var verbs = map[string]Command{
	"create":    Create{},
	"describe":  Describe{},
	"join":      Join{},
	"leave":     Leave{},
	"set_role":  SetRole{},
	"add":       AddModel{},
	"update":    UpdateModel{},
	"remove":    RemoveModel{},
	"post":      PostMessage{},
	"interrupt": InterruptReply{},
	"complete":  CompleteReply{},
	"fail":      FailReply{},
	"decline":   DeclineReply{},
	"resume":    ResumeReply{},
	"tick":      Tick{},

	"poll":           OpenPoll{},
	"vote":           CastVote{},
	"close":          ClosePoll{},
	"ballot":         CastBallot{},
	"miss":           MissBallot{},
	"count":          CountBallots{},
	"resume_ballot":  ResumeBallot{},
	"resume_ballots": ResumeBallots{},

	"start_autopilot":  StartAutopilot{},
	"pause_autopilot":  PauseAutopilot{},
	"resume_autopilot": ResumeAutopilot{},
	"guide_autopilot":  GuideAutopilot{},
	"stop_autopilot":   StopAutopilot{},

	"set_policy":       SetPolicy{},
	"record_usage":     RecordUsage{},
	"request_summary":  RequestSummary{},
	"complete_summary": CompleteSummary{},
	"fail_summary":     FailSummary{},
	"resume_summary":   ResumeSummary{},
}

func parseLine(text string) (l line, err error) {
	l.who, text, _ = strings.Cut(text, " ")
	l.verb, text, _ = strings.Cut(text, " ")
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		key, rest, ok := strings.Cut(text, "=")
		if !ok {
			return l, fmt.Errorf("%q: want key=value", text)
		}
		value, tail, _ := strings.Cut(rest, " ")
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return l, fmt.Errorf("%s: %w", rest, err)
			}
			tail = rest[len(quoted):]
			value, _ = strconv.Unquote(quoted)
		}
		l.fields, text = append(l.fields, [2]string{key, value}), tail
	}
	return l, nil
}

func (l line) by() Identity {
	switch model, ok := strings.CutPrefix(l.who, "@"); {
	case ok:
		return ModelIdentity(ModelID(model))
	case l.who == "nobody":
		return ""
	case l.who == string(System):
		return System
	}
	return PersonIdentity(PersonID(l.who))
}

// command makes the command that the line means. cause=KEY and said.OFFSET=WORDS belong to its Meta.
func (l line) command() (Meta, Command, error) {
	m := Meta{By: l.by(), Said: make(map[Offset]string)}
	example, ok := verbs[l.verb]
	if !ok {
		return m, nil, fmt.Errorf("no verb %q", l.verb)
	}
	c := reflect.New(reflect.TypeOf(example)).Elem()
	for _, f := range l.fields {
		key, value := f[0], f[1]
		reply, said := strings.CutPrefix(key, "said.")
		switch {
		case key == "cause":
			m.Cause = value
		case said:
			id, err := strconv.ParseUint(reply, 10, 64)
			if err != nil {
				return m, nil, err
			}
			m.Said[Offset(id)] = value
		default:
			if err := setField(c, key, value); err != nil {
				return m, nil, fmt.Errorf("%s: %w", l.verb, err)
			}
		}
	}
	return m, c.Interface().(Command), nil
}

// setField sets the field that key names, with dots for fields of fields. A model that is added has its fields among the
// command's, as has what a call took; finish=SUMMARY, ask=QUESTION and answers=A,B are what a turn wishes.
func setField(v reflect.Value, key, value string) error {
	if outer, inner, ok := strings.Cut(key, "."); ok {
		f := v.FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, outer) })
		if f.Kind() != reflect.Struct {
			return fmt.Errorf("%s has no fields in %q", v.Type(), outer)
		}
		return setField(f, inner, value)
	}
	switch c := v.Addr().Interface().(type) {
	case *AddModel:
		v = reflect.ValueOf(&c.Model).Elem()
	case *CompleteReply:
		if c.wish(key, value) {
			return nil
		}
	}
	f := v.FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, strings.ReplaceAll(key, "_", "")) })
	if usage := v.FieldByName("Usage"); !f.IsValid() && usage.IsValid() {
		return setField(usage, key, value)
	}
	if !f.IsValid() {
		return fmt.Errorf("%s has no field %q", v.Type(), key)
	}
	if f.Kind() == reflect.Pointer {
		f.Set(reflect.New(f.Type().Elem()))
		f = f.Elem()
	}
	switch f.Kind() {
	case reflect.String:
		f.SetString(value)
	case reflect.Struct: // a time, as how long after the morning
		d, err := time.ParseDuration(value)
		f.Set(reflect.ValueOf(morning.Add(d)))
		return err
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(value, 10, 64)
		f.SetInt(n)
		return err
	case reflect.Bool:
		f.SetBool(value == "true")
	case reflect.Uint64:
		n, err := strconv.ParseUint(value, 10, 64)
		f.SetUint(n)
		return err
	case reflect.Slice:
		for item := range strings.SplitSeq(value, ",") {
			f.Set(reflect.Append(f, listItem(f.Type().Elem(), item)))
		}
	default:
		return fmt.Errorf("%s: cannot set %s", key, f.Type())
	}
	return nil
}

// wish sets what a turn wishes, if that is what key names.
func (c *CompleteReply) wish(key, value string) bool {
	switch key {
	case "finish":
		c.Finish = &Finish{Summary: value}
	case "ask":
		c.Ask = &Ask{Question: value}
	case "answers":
		for text := range strings.SplitSeq(value, ",") {
			c.Ask.Options = append(c.Ask.Options, Option{Text: text})
		}
	default:
		return false
	}
	return true
}

// listItem makes an item of a list: a text, a number, a model from "id:Name", or what pollItem makes.
func listItem(t reflect.Type, item string) reflect.Value {
	if v, ok := pollItem(t, item); ok {
		return reflect.ValueOf(v)
	}
	if t == reflect.TypeFor[Model]() {
		id, name, ok := strings.Cut(item, ":")
		if !ok {
			return reflect.ValueOf(Model{Name: item})
		}
		return reflect.ValueOf(Model{ID: ModelID(id), Name: name})
	}
	v := reflect.New(t).Elem()
	v.SetString(item)
	return v
}
