package config

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// A leaf is one key, or a section of keys, with its place in a Config.
type leaf struct {
	key    string // its path: "grpc.port"
	doc    string
	sample string        // a line of an example, commented out
	also   []string      // environment variables of others that may hold the value
	value  reflect.Value // the field itself, so setting it sets the Config
}

// leaves walks over every key of c in the order of the struct.
func (c *Config) leaves() iter.Seq[leaf] {
	return func(yield func(leaf) bool) {
		walk(reflect.ValueOf(c).Elem(), "", nil, func(l leaf) bool { return l.isSection() || yield(l) })
	}
}

// walk visits what of a struct carries a key, each section before the keys in it, until visit returns false.
func walk(v reflect.Value, prefix string, also []string, visit func(leaf) bool) bool {
	for _, l := range fields(v, prefix, also) {
		if !visit(l) || l.isSection() && !walk(l.value, l.key+".", l.also, visit) {
			return false
		}
	}
	return true
}

// fields lists what of a struct carries a key. The key of a provider may be in the variables of its section.
func fields(v reflect.Value, prefix string, also []string) []leaf {
	var list []leaf
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		key, ok := tag.Lookup("key")
		if !ok {
			continue
		}
		l := leaf{key: prefix + key, doc: tag.Get("doc"), sample: tag.Get("sample"), value: v.Field(i)}
		if names := tag.Get("env"); names != "" {
			l.also = strings.Split(names, ",")
		}
		if _, secret := l.value.Interface().(Secret); secret {
			l.also = also
		}
		list = append(list, l)
	}
	return list
}

// isSection reports whether there are keys below.
func (l leaf) isSection() bool {
	return l.value.Kind() == reflect.Struct && len(fields(l.value, "", nil)) > 0
}

// find returns the leaf of a key.
func (c *Config) find(key string) (leaf, bool) {
	for l := range c.leaves() {
		if l.key == key {
			return l, true
		}
	}
	return leaf{}, false
}

// sections and keys list what is known.
func sections() []string {
	var c Config
	var list []string
	walk(reflect.ValueOf(&c).Elem(), "", nil, func(l leaf) bool {
		if l.isSection() {
			list = append(list, l.key)
		}
		return true
	})
	return list
}

func keys() []string {
	var c Config
	var list []string
	for l := range c.leaves() {
		list = append(list, l.key)
	}
	return list
}

// env names the environment variable of a key.
func env(key string) string { return strings.ToUpper(strings.ReplaceAll(key, ".", "_")) }

// set reads text into the field. Its errors tell what is allowed, and the text itself unless that is a secret.
func (l leaf) set(text string) error {
	switch field := l.value.Addr().Interface().(type) {
	case *Secret:
		*field = NewSecret(text)
		return nil
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%s is no duration: want one such as 500ms, 10s or 1m30s", show(text))
		}
		*field = d
		return nil
	case *Dollars:
		n, err := billionths(text)
		if err != nil {
			return err
		}
		*field = Dollars(n)
		return nil
	case *ModelPrices:
		prices, err := parsePrices(text)
		if err != nil {
			return err
		}
		*field = prices
		return nil
	case choice:
		if err := allowed(field, text); err != nil {
			return err
		}
	}
	return l.setKind(text)
}

// setKind reads text into a field of one of the language's own kinds.
func (l leaf) setKind(text string) error {
	switch l.value.Kind() {
	case reflect.String:
		l.value.SetString(text)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%s is no whole number: want one such as %d", show(text), max(1, l.value.Int()))
		}
		l.value.SetInt(int64(n))
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%s is neither true nor false", show(text))
		}
		l.value.SetBool(b)
	default:
		return errors.New("package config does not read values of type " + l.value.Type().String())
	}
	return nil
}

func allowed(c choice, text string) error {
	for _, name := range c.Allowed() {
		if text == name {
			return nil
		}
	}
	return fmt.Errorf("%s is not known: want %s", show(text), or(c.Allowed()))
}

// or joins the names as one says them: "a, b or c".
func or(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// show quotes a value for a message, short enough for a line.
func show(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "..."
	}
	return strconv.Quote(text)
}
