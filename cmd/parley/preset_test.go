package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestPresetsAreListed(t *testing.T) {
	var text, lines bytes.Buffer
	if err := (&RoomPresetsCmd{}).list(&text); err != nil || !strings.Contains(text.String(), "writing-pair         Writing pair         wren, edda\n") {
		t.Errorf("%v:\n%s", err, &text)
	}
	if err := (&RoomPresetsCmd{JSON: true}).list(&lines); err != nil || strings.Count(lines.String(), "\n") != strings.Count(text.String(), "\n") ||
		!strings.Contains(lines.String(), `"mode":"relay"`) {
		t.Errorf("%v:\n%s", err, &lines)
	}
}

func TestRoomFromPreset(t *testing.T) {
	r, p, err := (&RoomCreateCmd{As: "maja", Preset: "writing-pair", Model: []string{"gpt=openai/gpt-x"}}).wanted()
	if err != nil || r.Name != "Writing pair" || r.Description != p.Description || len(r.Models) != 3 ||
		r.Models[0].ID != "wren" || r.Models[0].Persona == "" || r.Models[2].Model != "openai/gpt-x" {
		t.Errorf("%v: %+v", err, r)
	}
	if r, _, err = (&RoomCreateCmd{Preset: "writing-pair", Name: "Mine", Description: "Ours"}).wanted(); err != nil || r.Name != "Mine" || r.Description != "Ours" {
		t.Errorf("%v: %+v", err, r)
	}
	for _, c := range []RoomCreateCmd{{}, {Preset: "nothing"}, {Preset: "writing-pair", Presets: Presets{Path: "/nowhere"}}} {
		if _, _, err := c.wanted(); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
}
