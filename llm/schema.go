package llm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// SchemaOf describes T, a struct, as the JSON Schema of a tool's arguments. Properties keep the order of the fields.
//
// Names come from the json tags. A field is required unless it says omitempty or omitzero. `desc:"..."` describes a
// field and `enum:"a,b"` lists the values that a string field may take. A pointer is described as what it points to, an
// embedded struct as if its fields were T's own, time.Time as a string in RFC 3339, a json.RawMessage or an interface
// as any value. No property beside these is allowed (additionalProperties is false).
//
// It panics on a T that JSON cannot say (a channel, a function, a struct that contains itself): that is a mistake in
// the program and every call makes it.
func SchemaOf[T any]() json.RawMessage {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("llm: schema of %s: want a struct", t))
	}
	var w schemaWriter
	w.object(t)
	return w.buf.Bytes()
}

type schemaWriter struct {
	buf   bytes.Buffer
	under []reflect.Type // the structs that are being described, outermost first
}

func (w *schemaWriter) object(t reflect.Type) {
	if slices.Contains(w.under, t) {
		panic(fmt.Sprintf("llm: schema of %s: it contains itself", t))
	}
	w.under = append(w.under, t)
	defer func() { w.under = w.under[:len(w.under)-1] }()

	var required []string
	w.buf.WriteString(`{"type":"object","properties":{`)
	for i, f := range fields(t) {
		if i > 0 {
			w.buf.WriteByte(',')
		}
		w.quoted(f.name)
		w.buf.WriteByte(':')
		w.property(t, f)
		if f.required {
			required = append(required, f.name)
		}
	}
	w.buf.WriteByte('}')
	if len(required) > 0 {
		w.buf.WriteString(`,"required":`)
		w.quoted(required)
	}
	w.buf.WriteString(`,"additionalProperties":false}`)
}

func (w *schemaWriter) property(owner reflect.Type, f field) {
	from := w.buf.Len()
	w.value(f.typ)
	if f.enum != nil {
		if base(f.typ).Kind() != reflect.String {
			panic(fmt.Sprintf("llm: schema of %s: %s has an enum but is no string", owner, f.name))
		}
		w.add(from, "enum", f.enum)
	}
	if f.desc != "" {
		w.add(from, "description", f.desc)
	}
}

// add puts one more keyword into the object that was written from offset from.
func (w *schemaWriter) add(from int, key string, value any) {
	w.buf.Truncate(w.buf.Len() - 1)
	if w.buf.Len() > from+1 {
		w.buf.WriteByte(',')
	}
	w.quoted(key)
	w.buf.WriteByte(':')
	w.quoted(value)
	w.buf.WriteByte('}')
}

func (w *schemaWriter) value(t reflect.Type) {
	t = base(t)
	switch t {
	case reflect.TypeFor[time.Time]():
		w.buf.WriteString(`{"type":"string","format":"date-time"}`)
		return
	case reflect.TypeFor[json.RawMessage]():
		w.buf.WriteString(`{}`)
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		w.object(t)
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			panic(fmt.Sprintf("llm: schema of %s: a model cannot write bytes", t))
		}
		w.buf.WriteString(`{"type":"array","items":`)
		w.value(t.Elem())
		w.buf.WriteByte('}')
	case reflect.Map:
		w.buf.WriteString(`{"type":"object","additionalProperties":`)
		w.value(t.Elem())
		w.buf.WriteByte('}')
	case reflect.Interface:
		w.buf.WriteString(`{}`)
	default:
		fmt.Fprintf(&w.buf, `{"type":%q}`, scalar(t))
	}
}

func scalar(t reflect.Type) string {
	switch k := t.Kind(); {
	case k == reflect.String:
		return "string"
	case k == reflect.Bool:
		return "boolean"
	case k >= reflect.Int && k <= reflect.Uint64:
		return "integer"
	case k == reflect.Float32 || k == reflect.Float64:
		return "number"
	}
	panic(fmt.Sprintf("llm: schema of %s: JSON cannot say it", t))
}

func (w *schemaWriter) quoted(v any) {
	enc := json.NewEncoder(&w.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("llm: schema: %v", err))
	}
	w.buf.Truncate(w.buf.Len() - 1) // Encode ends with a newline
}

type field struct {
	name     string
	typ      reflect.Type
	desc     string
	enum     []string
	required bool
}

func fields(t reflect.Type) []field {
	var out []field
	for f := range t.Fields() {
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" && base(f.Type).Kind() == reflect.Struct {
			out = append(out, fields(base(f.Type))...)
			continue
		}
		if !f.IsExported() || (name == "-" && opts == "") {
			continue
		}
		out = append(out, describe(f, name, strings.Split(opts, ",")))
	}
	return out
}

func describe(f reflect.StructField, name string, opts []string) field {
	d := field{name: name, typ: f.Type, desc: f.Tag.Get("desc")}
	if d.name == "" {
		d.name = f.Name
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		d.enum = strings.Split(enum, ",")
	}
	d.required = !slices.Contains(opts, "omitempty") && !slices.Contains(opts, "omitzero")
	return d
}

func base(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
