package room

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// decodeQuick reads the events that a log has most of, in the form in which they are written: opening a room is mostly
// this. It takes no other form: whatever is unusual is left to encoding/json, and ok is false.
func decodeQuick(kind string, data []byte) (e Event, ok bool) {
	var s scanner
	switch kind {
	case "message_posted":
		s.rest = string(data)
		e = s.posted()
	case "reply_requested":
		s.rest = string(data)
		e = s.requested()
	case "reply_completed":
		s.rest = string(data)
		e = s.completed()
	default:
		return nil, false
	}
	return e, !s.bad && s.rest == ""
}

func (s *scanner) posted() (v MessagePosted) {
	for more := s.object(); more; more = s.next() {
		switch s.key {
		case "name":
			v.Name = s.text()
		case "text":
			v.Text = s.text()
		case "reply_to":
			v.ReplyTo = Offset(s.number())
		case "mentions":
			v.Mentions = s.models()
		default:
			s.fail()
		}
	}
	return v
}

func (s *scanner) requested() (v ReplyRequested) {
	for more := s.object(); more; more = s.next() {
		switch s.key {
		case "reply":
			s.reply(&v.Reply)
		case "depth":
			v.Depth = int(s.number())
		case "until":
			v.Until = s.time()
		case "path":
			v.Path = s.models()
		case "for":
			v.For = PersonID(s.text())
		case "allowance":
			s.allowance(&v.Allowance)
		case "turn":
			if v.Turn == nil {
				v.Turn = new(Turn)
			}
			s.turn(v.Turn)
		default:
			s.fail()
		}
	}
	return v
}

func (s *scanner) completed() (v ReplyCompleted) {
	for more := s.object(); more; more = s.next() {
		switch s.key {
		case "reply":
			s.reply(&v.Reply)
		case "text":
			v.Text = s.text()
		case "mentions":
			v.Mentions = s.models()
		case "served":
			v.Served = s.text()
		case "input":
			v.Input = int(s.number())
		case "output":
			v.Output = int(s.number())
		case "cost":
			v.Cost = Cost(s.number())
		case "unpriced":
			v.Unpriced = s.yes()
		default:
			s.fail()
		}
	}
	return v
}

func (s *scanner) allowance(v *Allowance) {
	for more := s.object(); more; more = s.next() {
		switch s.key {
		case "cost":
			v.Cost = Cost(s.number())
		case "tokens":
			v.Tokens = int(s.number())
		default:
			s.fail()
		}
	}
}

func (s *scanner) turn(v *Turn) {
	for more := s.object(); more; more = s.next() {
		switch s.key {
		case "autopilot":
			v.Autopilot = Offset(s.number())
		case "n":
			v.N = int(s.number())
		case "part":
			v.Part = Part(s.text())
		case "last":
			v.Last = s.yes()
		case "of":
			v.Of = int(s.number())
		case "spent":
			s.usage(&v.Spent)
		case "next":
			v.Next = s.models()
		default:
			s.fail()
		}
	}
}

func (s *scanner) usage(v *Usage) {
	for more := s.object(); more; more = s.next() {
		switch s.key {
		case "input":
			v.Input = int(s.number())
		case "output":
			v.Output = int(s.number())
		case "cost":
			v.Cost = Cost(s.number())
		case "unpriced":
			v.Unpriced = s.yes()
		default:
			s.fail()
		}
	}
}

func (s *scanner) reply(v *ReplyRef) {
	for more := s.object(); more; more = s.next() {
		switch s.key {
		case "id":
			v.ID = Offset(s.number())
		case "model":
			v.Model = ModelID(s.text())
		case "name":
			v.Name = s.text()
		case "trigger":
			v.Trigger = Offset(s.number())
		default:
			s.fail()
		}
	}
}

func (s *scanner) yes() bool {
	rest, ok := strings.CutPrefix(s.rest, "true")
	if s.rest = rest; !ok {
		s.fail()
	}
	return ok
}

func (s *scanner) models() (ids []ModelID) {
	s.take('[')
	ids = append(ids, ModelID(s.text()))
	for s.has(',') {
		ids = append(ids, ModelID(s.text()))
	}
	s.take(']')
	return ids
}

// yes reads true: what is false is not written.
func (s *scanner) time() (t time.Time) {
	before := s.rest
	s.text()
	if err := t.UnmarshalJSON([]byte(before[:len(before)-len(s.rest)])); err != nil {
		s.fail()
	}
	return t
}

// A scanner reads JSON without blanks off the front of rest. The texts it returns are parts of rest where they can be.
// After the first thing that it does not take, bad stays set and the loops end.
type scanner struct {
	rest string
	key  string // of the field whose value is next
	bad  bool
}

func (s *scanner) fail() { s.rest, s.bad = "", true }

// has takes c off the front, if it is there.
func (s *scanner) has(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scanner) take(c byte) {
	if !s.has(c) {
		s.fail()
	}
}

// object begins an object and reads its first key. It reports whether there is one.
func (s *scanner) object() bool {
	s.take('{')
	return !s.has('}') && s.field()
}

// next ends a value and reads the next key. It reports whether there is one.
func (s *scanner) next() bool {
	if s.has('}') {
		return false
	}
	s.take(',')
	return s.field()
}

func (s *scanner) field() bool {
	s.key = s.text()
	s.take(':')
	return !s.bad
}

// number reads a whole number that is not negative and fits easily.
func (s *scanner) number() uint64 {
	n := 0
	for n < len(s.rest) && '0' <= s.rest[n] && s.rest[n] <= '9' {
		n++
	}
	if n == 0 || n > 18 || n > 1 && s.rest[0] == '0' {
		s.fail()
		return 0
	}
	v, _ := strconv.ParseUint(s.rest[:n], 10, 64)
	s.rest = s.rest[n:]
	return v
}

func (s *scanner) text() string {
	s.take('"')
	n := plain(s.rest)
	text := s.rest[:n]
	s.rest = s.rest[n:]
	if !s.has('"') {
		text = s.escaped(text)
	}
	if !utf8.ValidString(text) {
		s.fail()
	}
	return text
}

// plain returns the length of the part of s that stands for itself within a string.
func plain(s string) int {
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' || s[i] < ' ' {
			return i
		}
	}
	return len(s)
}

// escaped reads the rest of a string that began with begin.
func (s *scanner) escaped(begin string) string {
	var b strings.Builder
	b.Grow(len(begin) + len(s.rest))
	b.WriteString(begin)
	for !s.has('"') {
		if s.take('\\'); s.bad {
			return ""
		}
		b.WriteString(s.escape())
		n := plain(s.rest)
		b.WriteString(s.rest[:n])
		s.rest = s.rest[n:]
	}
	return b.String()
}

// escape reads what follows a backslash.
func (s *scanner) escape() string {
	for i, c := range []byte(`"\/bfnrt`) {
		if s.has(c) {
			return "\"\\/\b\f\n\r\t"[i : i+1]
		}
	}
	s.take('u')
	if len(s.rest) < 4 {
		s.fail()
		return ""
	}
	v, err := strconv.ParseUint(s.rest[:4], 16, 16)
	if s.rest = s.rest[4:]; err != nil || 0xd800 <= v && v <= 0xdfff {
		s.fail()
	}
	return string(rune(v))
}
