// Package preset holds rooms to begin with: their models with personas, and what these could work on.
//
// Some are built in; users add their own, one YAML file each, in a folder. A file there takes the place of a built-in
// preset of the same name. Nothing is kept: Load reads anew, and any goroutine may use it at any time.
package preset

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"parley/room"
)

// A Preset is a room to begin with.
//
// In YAML, in a file that is called as the preset is, with .yaml at its end:
//
//	title: Product council             # the room's name, unless another one is wanted
//	description: What we build next.   # of the room; models read it, too
//	models:                            # who sits in it, one at least
//	  - id: customer                   # 1 to 64 letters, digits, _ and -
//	    name: Cora                     # as it is mentioned
//	    title: Voice of the customer
//	    style: conversational          # or detailed, bullet, nothing
//	    model: openai/gpt-x            # the provider's; better left out: then it is the server's default
//	    persona: You ask who needs it.
//	autopilot:                         # what the models could work on by themselves; may be left out
//	  goal: Decide which of the ideas above we build first.
//	  mode: debate                     # or round_robin, leader, relay, consensus
//	  lead: customer                   # leader or judge; the first model if it is left out
//	  turns: 9
//	policy:                            # what the room may do and spend; may be left out
//	  model_polls: true                # models may open polls
//	  total: {dollars: 5, tokens: 1000000}
//	  day: {dollars: 0.50}
type Preset struct {
	Name        string // such as product-council
	Title       string
	Description string
	Models      []room.Model
	Autopilot   Autopilot
	Policy      room.Policy
	File        string // where it was read; empty if it is built in
}

// An Autopilot is a suggestion. Without one Goal is empty.
type Autopilot struct {
	Goal  string
	Mode  room.Mode
	Lead  room.ModelID
	Turns int
}

//go:embed rooms/*.yaml
var builtin embed.FS

// Load reads the built-in presets and those of a folder, sorted by name. An empty dir means the built-in ones only. The
// error names the file, the line and what to do about everything that is wrong.
func Load(dir string) ([]Preset, error) {
	sub, err := fs.Sub(builtin, "rooms")
	if err != nil {
		return nil, err
	}
	list, err := read(sub, "")
	if err != nil || dir == "" {
		return list, err
	}
	own, err := read(os.DirFS(dir), dir)
	if err != nil {
		return nil, fmt.Errorf("presets of %s: %w", dir, err)
	}
	list = slices.DeleteFunc(list, func(p Preset) bool {
		_, err := Find(own, p.Name)
		return err == nil
	})
	list = append(list, own...)
	slices.SortFunc(list, func(a, b Preset) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Find returns the preset of this name.
func Find(list []Preset, name string) (Preset, error) {
	names := make([]string, len(list))
	for i, p := range list {
		if p.Name == name {
			return p, nil
		}
		names[i] = p.Name
	}
	return Preset{}, fmt.Errorf("there is no preset %q: use one of %s", name, strings.Join(names, ", "))
}

// validName is what a preset may be called.
var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// read reads the presets of a folder that is called dir.
func read(folder fs.FS, dir string) ([]Preset, error) {
	files, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	var list []Preset
	var errs []error
	for _, f := range files {
		ext := path.Ext(f.Name())
		if f.IsDir() || ext != ".yaml" && ext != ".yml" {
			continue
		}
		name := strings.TrimSuffix(f.Name(), ext)
		p, err := one(folder, f.Name(), name)
		if _, twice := Find(list, name); err == nil && twice == nil {
			err = fmt.Errorf("%s: there is another file for the preset %s: remove one of them", f.Name(), name)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if dir != "" {
			p.File = filepath.Join(dir, f.Name())
		}
		list = append(list, p)
	}
	return list, errors.Join(errs...)
}

func one(folder fs.FS, file, name string) (Preset, error) {
	if !validName.MatchString(name) {
		return Preset{}, fmt.Errorf("%s: a preset is called by its file: use small letters, digits and -", file)
	}
	data, err := fs.ReadFile(folder, file)
	if err != nil {
		return Preset{}, err
	}
	return Parse(file, name, data)
}
