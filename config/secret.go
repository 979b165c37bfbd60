package config

import (
	"fmt"
	"io"
	"log/slog"
)

// A Secret is a text that nothing prints: whatever formats, logs or encodes it gets "[set]" or "[empty]". The zero
// Secret is empty.
type Secret struct {
	// A pointer, because fmt reads a text in a field that is not exported without asking for its methods.
	text *string
}

// NewSecret keeps text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// IsSet reports whether there is a text.
func (s Secret) IsSet() bool { return s.text != nil }

// Reveal returns the text, for the one who has to send it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String tells whether there is a text.
func (s Secret) String() string {
	if s.IsSet() {
		return "[set]"
	}
	return "[empty]"
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// Format prints String for every verb, the wrong ones too.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is String, so JSON and YAML hold no secret either.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
