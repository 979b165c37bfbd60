package llm_test

import (
	"encoding/json"
	"testing"
	"time"

	"parley/llm"
)

type place struct {
	City string  `json:"city"`
	Lat  float64 `json:"lat,omitempty"`
}

type common struct {
	Reason string `json:"reason,omitempty" desc:"say why, in \"one\" line"`
}

type style string

type forecast struct {
	common
	Where  place           `json:"where" desc:"the place"`
	Days   int             `json:"days"`
	Unit   style           `json:"unit" enum:"celsius,fahrenheit" desc:"of temperatures"`
	Tags   []string        `json:"tags,omitempty"`
	Stops  []*place        `json:"stops,omitzero"`
	Notes  map[string]bool `json:"notes,omitempty"`
	At     *time.Time      `json:"at,omitempty" desc:"when"`
	Extra  json.RawMessage `json:"extra,omitempty" desc:"anything"`
	Plain  bool
	Hidden string `json:"-"`
	secret int    //nolint:unused // it must not be described
}

const forecastSchema = `{"type":"object","properties":{` +
	`"reason":{"type":"string","description":"say why, in \"one\" line"},` +
	`"where":{"type":"object","properties":{"city":{"type":"string"},"lat":{"type":"number"}},"required":["city"],"additionalProperties":false,"description":"the place"},` +
	`"days":{"type":"integer"},` +
	`"unit":{"type":"string","enum":["celsius","fahrenheit"],"description":"of temperatures"},` +
	`"tags":{"type":"array","items":{"type":"string"}},` +
	`"stops":{"type":"array","items":{"type":"object","properties":{"city":{"type":"string"},"lat":{"type":"number"}},"required":["city"],"additionalProperties":false}},` +
	`"notes":{"type":"object","additionalProperties":{"type":"boolean"}},` +
	`"at":{"type":"string","format":"date-time","description":"when"},` +
	`"extra":{"description":"anything"},` +
	`"Plain":{"type":"boolean"}},` +
	`"required":["where","days","unit","Plain"],"additionalProperties":false}`

func TestSchemaOf(t *testing.T) {
	got := llm.SchemaOf[forecast]()
	if string(got) != forecastSchema {
		t.Errorf("schema:\n got %s\nwant %s", got, forecastSchema)
	}
	if !json.Valid(got) {
		t.Error("the schema is not JSON")
	}
	if got := string(llm.SchemaOf[struct{}]()); got != `{"type":"object","properties":{},"additionalProperties":false}` {
		t.Errorf("schema of an empty struct: %s", got)
	}
}

type loop struct {
	Next *loop `json:"next"`
}

func TestSchemaOfRefuses(t *testing.T) {
	for name, make := range map[string]func() json.RawMessage{
		"no struct":         llm.SchemaOf[string],
		"channel":           llm.SchemaOf[struct{ C chan int }],
		"function in array": llm.SchemaOf[struct{ F []func() }],
		"contains itself":   llm.SchemaOf[loop],
		"enum of numbers": llm.SchemaOf[struct {
			N int `enum:"1,2"`
		}],
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			make()
		})
	}
}
