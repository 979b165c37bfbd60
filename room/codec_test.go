package room

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// What an event is called on disk, and what its fields are called, is for ever. A new field may join its kind here; a
// line that changes otherwise breaks the logs that exist.
func TestFieldNames(t *testing.T) {
	var out strings.Builder
	names, events := filledEvents()
	for i, event := range events {
		kind, data, err := EncodeEvent(event)
		if err != nil || kind != names[i] {
			t.Fatalf("%T is %q, not %q: %v", event, kind, names[i], err)
		}
		fmt.Fprintf(&out, "%s %s\n", kind, data)
		read, err := DecodeEvent(kind, data)
		if err != nil || !reflect.DeepEqual(read, event) {
			t.Errorf("wrote %+v\n read %+v, %v", event, read, err)
		}
		empty := reflect.New(kinds[kind]).Elem().Interface().(Event)
		if read, err := DecodeEvent(kind, []byte("{}")); err != nil || !reflect.DeepEqual(read, empty) {
			t.Errorf("%s without fields: %+v, %v", kind, read, err)
		}
	}
	golden(t, "testdata/events.golden", out.String(), false)
}

// storable are entries that differ in every part of the stored form.
func storable() []Entry {
	at := time.Unix(0, 1772355600123456789).UTC()
	person, model := PersonIdentity("ada"), ModelIdentity("claude")
	said := MessagePosted{Name: "Ada", Text: "<b>\"hi\"</b> & 你好\n\u2028\U0001f44b", ReplyTo: 300, Mentions: []ModelID{"claude"}}
	return []Entry{
		{Offset: 1, At: at, By: person, Cause: "k1", Event: RoomCreated{Epoch: "e1", Info: Info{Name: "Council", Visibility: Public, CreatedAt: at}}},
		{Offset: 2, At: at, By: System, Event: PersonLeft{Person{ID: "ada", Left: true}}},
		{Offset: 127, At: time.Unix(0, -1).UTC(), By: "", Cause: "ключ", Event: said},
		{Offset: 128, At: at, By: model, To: []Identity{person}, Event: said},
		{Offset: 1 << 40, At: at, By: model, To: []Identity{person, model, ""}, Event: ReplyRequested{Until: at}},
		{Offset: ^Offset(0), At: at, By: "\xff", Cause: strings.Repeat("k", 300), Event: Unknown{Kind: "unheard_of", Data: json.RawMessage(`{"b":1, "a":[]}`)}},
		{Room: "other-room", Offset: 1, At: at, Event: Unknown{Kind: "", Data: nil}},
	}
}

// The stored form and the hashes are for ever: this file is never written again.
func TestStoredForm(t *testing.T) {
	var out strings.Builder
	var prev Hash
	for i, e := range storable() {
		if e.Room == "" {
			e.Room = "council"
		}
		data, hash, err := AppendEntry([]byte("before"), prev, &e)
		if err != nil {
			t.Fatal(err)
		}
		data = data[len("before"):]
		fmt.Fprintf(&out, "%s\n%v\n", hex.EncodeToString(data), hash)
		read, rest, err := CutEntry(append(data, "after"...), prev, e.Room)
		if e.Hash = hash; err != nil || string(rest) != "after" {
			t.Fatalf("%d: %v, %q follows", i, err, rest)
		}
		if !reflect.DeepEqual(read, e) {
			t.Errorf("wrote %+v\n read %+v", e, read)
		}
		prev = hash
	}
	golden(t, "testdata/stored.golden", out.String(), true)
}

// A hash stands for all that is in an entry, for its place and for everything before it.
func TestHashesDiffer(t *testing.T) {
	base := Entry{Room: "council", Offset: 5, At: morning, By: "a", Cause: "b", To: []Identity{"c"}, Event: PersonLeft{Person{ID: "ada"}}}
	seen := make(map[Hash]string)
	for name, change := range map[string]func(*Entry, *Hash){
		"nothing": func(*Entry, *Hash) {},
		"prev":    func(_ *Entry, prev *Hash) { prev[31] ^= 1 },
		"room":    func(e *Entry, _ *Hash) { e.Room = "council2" },
		"offset":  func(e *Entry, _ *Hash) { e.Offset++ },
		"at":      func(e *Entry, _ *Hash) { e.At = e.At.Add(1) },
		"by":      func(e *Entry, _ *Hash) { e.By = "ab" },
		"cause":   func(e *Entry, _ *Hash) { e.Cause = "" },
		"shifted": func(e *Entry, _ *Hash) { e.By, e.Cause = "ab", "" },
		"to":      func(e *Entry, _ *Hash) { e.To = nil },
		"to more": func(e *Entry, _ *Hash) { e.To = []Identity{"c", ""} },
		"event":   func(e *Entry, _ *Hash) { e.Event = PersonLeft{Person{ID: "adA"}} },
		"kind":    func(e *Entry, _ *Hash) { e.Event = PersonJoined{Person{ID: "ada"}} },
	} {
		e, prev := base, Hash{}
		change(&e, &prev)
		_, hash, err := AppendEntry(nil, prev, &e)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := seen[hash]; taken {
			t.Errorf("%s and %s have one hash", name, other)
		}
		seen[hash] = name
	}
}

// Whatever bit of a stored entry flips, either it cannot be read or its hash is another one.
func TestFlippedBits(t *testing.T) {
	entries := storable()
	for _, log := range [][]Entry{entries, benchLog(t, 12)} {
		var prev Hash
		for _, e := range log {
			e.Room = "council"
			data, hash, err := AppendEntry(nil, prev, &e)
			if err != nil {
				t.Fatal(err)
			}
			for bit := range 8 * len(data) {
				data[bit/8] ^= 1 << (bit % 8)
				if read, _, err := CutEntry(data, prev, "council"); err == nil && read.Hash == hash {
					t.Errorf("bit %d of entry %d: nobody sees that it flipped", bit, e.Offset)
				} else if err != nil && !errors.Is(err, ErrDamaged) {
					t.Errorf("bit %d of entry %d: %v", bit, e.Offset, err)
				}
				data[bit/8] ^= 1 << (bit % 8)
			}
			for n := range data {
				if _, _, err := CutEntry(data[:n], prev, "council"); !errors.Is(err, ErrDamaged) {
					t.Errorf("entry %d cut off after %d bytes: %v", e.Offset, n, err)
				}
			}
			prev = hash
		}
	}
}

func TestEncodeRefusesStrangers(t *testing.T) {
	for _, event := range []Event{nil, &PersonLeft{}} {
		before := []byte("before")
		data, _, err := AppendEntry(before, Hash{}, &Entry{Offset: 1, Event: event})
		if err == nil || !bytes.Equal(data, before) {
			t.Errorf("%T: %q, %v", event, data, err)
		}
	}
}

// unchanged is what becomes of an event whose quick form was read: what encoding/json reads.
func unchanged(t *testing.T, kind string, data []byte) {
	t.Helper()
	quick, ok := decodeQuick(kind, data)
	if !ok {
		return
	}
	slow := reflect.New(kinds[kind])
	if err := json.Unmarshal(data, slow.Interface()); err != nil {
		t.Fatalf("%s %q: read as %+v, but %v", kind, data, quick, err)
	}
	if slow := slow.Elem().Interface(); !reflect.DeepEqual(slow, quick) {
		t.Fatalf("%s %q\nread %+v\n not %+v", kind, data, quick, slow)
	}
}

var quickKinds = []string{"message_posted", "reply_requested", "reply_completed"}

// The kinds that are read quickly are read so in the form in which they are written.
func TestQuickIsUsed(t *testing.T) {
	for _, kind := range quickKinds {
		v := reflect.New(kinds[kind]).Elem()
		filled(v, new(int))
		for _, event := range []Event{v.Interface().(Event), reflect.Zero(kinds[kind]).Interface().(Event)} {
			_, data, err := EncodeEvent(event)
			if err != nil {
				t.Fatal(err)
			}
			if read, ok := decodeQuick(kind, data); !ok || !reflect.DeepEqual(read, event) {
				t.Errorf("%s %s: %+v, %v", kind, data, read, ok)
			}
		}
	}
	if _, ok := decodeQuick("person_left", []byte("{}")); ok {
		t.Error("person_left is read quickly")
	}
}

func TestQuickTexts(t *testing.T) {
	for _, text := range []string{"", "plain", `"\/` + "\b\f\n\r\t\x00\x1f\x7f", "<&>", "\u2028\u2029", "你好👋", "\ufffd", `ends with \`} {
		_, data, err := EncodeEvent(MessagePosted{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		e, ok := decodeQuick("message_posted", data)
		if !ok || e.(MessagePosted).Text != text {
			t.Errorf("%q is read as %+v, %v", text, e, ok)
		}
	}
}

func FuzzQuick(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"name":"a","text":"b"}`, `{"name":"a","text":"\u00e9\ud83d\udc4b","reply_to":1,"mentions":["a","b"]}`,
		`{"mentions":[]}`, `{"mentions":null}`, `{"Text":"x"}`, `{"text":"x","text":"y"}`, `{"text":"x",}`, `{,"text":"x"}`,
		`{"text":"x"}}`, `{"text":"x"} `, `{"text":"\u0"}`, `{"text":"\uZZZZ"}`, `{"text":"` + "\xff" + `"}`, `{"reply_to":01}`,
		`{"reply_to":-1}`, `{"reply_to":1e3}`, `{"reply_to":999999999999999999999}`, `{"text":"\u002B"}`, `{"te\u0078t":"x"}`,
		`{"reply":{"id":1,"model":"m","name":"n","trigger":2},"depth":1,"until":"2026-03-01T09:00:00.5Z"}`,
		`{"reply":{"id":1},"reply":{"name":"n"}}`, `{"until":"2026-03-01T09:00:00+01:00"}`, `{"until":"9999"}`, `{"reply":{}}`,
		`{"path":["a"],"for":"ada","allowance":{"cost":1,"tokens":2},"turn":{"autopilot":1,"n":2,"part":"lead","last":true,"of":3,"next":["b"]}}`,
		`{"turn":{"spent":{"input":1,"output":2,"cost":3,"unpriced":true}},"turn":{"n":4}}`, `{"turn":null}`, `{"turn":{}}`, `{"turn":{"last":false}}`,
		`{"allowance":{"cost":-1}}`, `{"allowance":{}}`, `{"text":"x","cost":5,"unpriced":true}`, `{"unpriced":tru}`, `{"unpriced":null}`,
		`{"reply":{"id":1},"text":"x","mentions":["a"],"served":"s","input":1,"output":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range quickKinds {
			unchanged(t, kind, data)
		}
	})
}

func FuzzCutEntry(f *testing.F) {
	for _, e := range storable() {
		data, _, err := AppendEntry(nil, Hash{}, &e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{5, 2, 0, 0, 0, 0xff, 0})
	f.Add(bytes.Repeat([]byte{0xff}, 30))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, rest, err := CutEntry(data, Hash{}, "council")
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if len(rest) >= len(data) {
			t.Fatalf("%d bytes left of %d", len(rest), len(data))
		}
		// What was read can be written and read again. An old form of a known kind may become the present one.
		again, hash, err := AppendEntry(nil, Hash{}, &e)
		if err != nil {
			return // a year beyond 9999: JSON has no such time
		}
		read, rest, err := CutEntry(again, Hash{}, "council")
		e.Hash = hash
		if err != nil || len(rest) > 0 || fmt.Sprintf("%+v", read) != fmt.Sprintf("%+v", e) {
			t.Fatalf("wrote %+v\n read %+v, %v", e, read, err)
		}
		New("council", smallRules()).Apply(&e)
	})
}
