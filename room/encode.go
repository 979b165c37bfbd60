package room

import (
	"encoding/json"
	"strconv"
)

// encodeMessage writes the event that a log has most of, byte for byte as encoding/json does. ok is false for any
// other, and for a message with mentions: they are left to encoding/json.
func encodeMessage(e Event) (data []byte, ok bool) {
	m, ok := e.(MessagePosted)
	if !ok || m.Mentions != nil {
		return nil, false
	}
	data = make([]byte, 0, len(`{"name":"","text":"","reply_to":18446744073709551615}`)+len(m.Name)+len(m.Text))
	data = appendJSON(append(data, `{"name":`...), m.Name)
	data = appendJSON(append(data, `,"text":`...), m.Text)
	if m.ReplyTo != 0 {
		data = strconv.AppendUint(append(data, `,"reply_to":`...), uint64(m.ReplyTo), 10)
	}
	return append(data, '}'), true
}

// appendJSON appends a text as a string of JSON.
func appendJSON(dst []byte, text string) []byte {
	for i := range len(text) {
		if !asItIs(text[i]) {
			quoted, _ := json.Marshal(text) // every text can be
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}

// asItIs reports whether encoding/json writes the byte as it is, whatever is around it.
func asItIs(c byte) bool {
	switch c {
	case '"', '\\', '<', '>', '&':
		return false
	}
	return ' ' <= c && c <= '~'
}
