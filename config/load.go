package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// fileName is looked for when no path is given.
const fileName = "config.yaml"

// Source is what a configuration is read from.
type Source struct {
	Path    string   // the file, which then has to exist; empty takes config.yaml in Dir if there is one
	Dir     string   // where to look for config.yaml; empty is the working folder
	Environ []string // NAME=value, as os.Environ returns it
}

// A Warning is something that does not keep the process from starting but is likely a mistake.
type Warning string

// A setting is one key with a value that somebody wrote.
type setting struct {
	key  string
	text string
	at   origin
}

// An origin says where a value comes from. The zero origin is the default.
type origin struct {
	file string
	line int
	env  string
	rule string // in words, of a default that follows from another key
}

func (o origin) String() string {
	switch {
	case o.env != "":
		return "env " + o.env
	case o.file != "":
		return o.file + ":" + strconv.Itoa(o.line)
	case o.rule != "":
		return o.rule
	}
	return "default"
}

// problem is an error about the value of a key, starting with the place to mend it.
func (o origin) problem(key string, err error) error {
	switch {
	case o.env != "":
		return fmt.Errorf("environment variable %s: %w", o.env, err)
	case o.file != "":
		return fmt.Errorf("%v: %s: %w", o, key, err)
	}
	return fmt.Errorf("%s: %w", key, err)
}

// Load reads the configuration. Its error joins all the problems, one a line; the Config it comes with then holds what
// could be read, for Print.
func Load(src Source) (Config, []Warning, error) {
	name, data, err := read(src)
	if err != nil {
		return Default(), nil, err
	}
	return load(name, data, src.Environ)
}

// read returns the file's name, as messages should tell it, and what is in it.
func read(src Source) (string, []byte, error) {
	name := src.Path
	if name == "" {
		name = filepath.Join(src.Dir, fileName)
	}
	data, err := os.ReadFile(name)
	if src.Path == "" && errors.Is(err, fs.ErrNotExist) {
		return name, nil, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return name, nil, fmt.Errorf("%s: there is no such file: see config.example.yaml for one to start from", name)
	}
	if err != nil {
		return name, nil, fmt.Errorf("read configuration: %w", err)
	}
	return name, data, nil
}

// load puts the layers on one another.
func load(name string, data []byte, environ []string) (Config, []Warning, error) {
	c := Default()
	written, problems := fromFile(name, data)
	overrides, warnings := fromEnviron(environ)
	for _, s := range append(written, overrides...) {
		if err := c.apply(s); err != nil {
			problems = append(problems, err)
		}
	}
	c.borrow(variables(environ))
	c.fill()
	if err := c.Validate(); err != nil {
		problems = append(problems, err)
	}
	return c, warnings, errors.Join(problems...)
}

func (c *Config) apply(s setting) error {
	l, ok := c.find(s.key)
	if !ok {
		return fmt.Errorf("%v: unknown key %q", s.at, s.key)
	}
	if err := l.set(s.text); err != nil {
		return s.at.problem(s.key, err)
	}
	c.note(s.key, s.at)
	return nil
}

// note remembers where a value comes from.
func (c *Config) note(key string, at origin) {
	if c.origins == nil {
		c.origins = make(map[string]origin)
	}
	c.origins[key] = at
}
