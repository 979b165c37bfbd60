package room

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// sameJSON is what a message's quick form has to be: what encoding/json writes.
func sameJSON(t rapid.TB, m MessagePosted) {
	t.Helper()
	quick, ok := encodeMessage(m)
	if !ok {
		return
	}
	if slow, err := json.Marshal(m); err != nil || !bytes.Equal(quick, slow) {
		t.Fatalf("%+v is written as\n%s, not as\n%s (%v)", m, quick, slow, err)
	}
}

// A field that the quick form does not know must not be lost in it.
func TestMessageIsWrittenWhole(t *testing.T) {
	_, events := filledEvents()
	for _, e := range events {
		m, ok := e.(MessagePosted)
		if _, quick := encodeMessage(e); !ok && quick {
			t.Errorf("%T is written as a message", e)
		}
		sameJSON(t, m)
		m.Mentions = nil
		sameJSON(t, m)
	}
	if _, ok := encodeMessage(MessagePosted{}); !ok {
		t.Error("the quick form is not used")
	}
	for c := range 256 {
		sameJSON(t, MessagePosted{Text: "a" + string([]byte{byte(c)}) + "b"})
	}
}

func TestMessagesAreWrittenAsByJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sameJSON(t, MessagePosted{
			Name: anyText().Draw(t, "name"), Text: anyText().Draw(t, "text"), ReplyTo: Offset(rapid.Uint64().Draw(t, "to")),
			Mentions: rapid.SliceOfN(anyModelID(), 0, 2).Draw(t, "mentions"),
		})
	})
}

func FuzzEncodeMessage(f *testing.F) {
	f.Add("Ada", "hello, world", uint64(0))
	f.Add("søt", "<&>\"\\\u2028\x00\x7f\xff", ^uint64(0))
	f.Fuzz(func(t *testing.T, name, text string, to uint64) {
		sameJSON(t, MessagePosted{Name: name, Text: text, ReplyTo: Offset(to)})
	})
}
