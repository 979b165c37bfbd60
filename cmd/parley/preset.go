package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"parley/client"
	"parley/cmd/parley/terminal"
	"parley/preset"
	"parley/room"
)

// Presets says where a user's own presets are.
type Presets struct {
	Path string `name:"presets" help:"A folder with presets of your own, a YAML file each." placeholder:"DIR" type:"path" env:"PRESETS_PATH"`
}

// RoomPresetsCmd lists the presets.
type RoomPresetsCmd struct {
	Presets `embed:""`
	JSON    bool `help:"Print JSON, one preset a line."`
}

// Run lists the presets.
func (c *RoomPresetsCmd) Run() error { return c.list(os.Stdout) }

// presetJSON is a preset as --json prints it. Names in it are only ever added.
type presetJSON struct {
	Name        string      `json:"name"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Models      []modelJSON `json:"models"`
	Goal        string      `json:"goal,omitempty"`
	Mode        string      `json:"mode,omitempty"`
	File        string      `json:"file,omitempty"`
}

func (c *RoomPresetsCmd) list(out io.Writer) error {
	list, err := preset.Load(c.Path)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range list {
		if !c.JSON {
			fmt.Fprintf(table, "%s\t%s\t%s\n", p.Name, terminal.Line(p.Title), names(sitting(p)))
			continue
		}
		j := presetJSON{
			Name: p.Name, Title: p.Title, Description: p.Description, Goal: p.Autopilot.Goal, Mode: string(p.Autopilot.Mode), File: p.File,
		}
		for _, m := range p.Models {
			j.Models = append(j.Models, modelJSON{ID: string(m.ID), Name: m.Name, Model: m.Model})
		}
		if err := writeJSON(out, j); err != nil {
			return err
		}
	}
	return table.Flush()
}

// sitting lists a preset's models as a client names them.
func sitting(p preset.Preset) []client.Model {
	models := make([]client.Model, len(p.Models))
	for i, m := range p.Models {
		models[i] = client.Model{
			ID: string(m.ID), Model: m.Model, Persona: m.Persona, Name: m.Name, Title: m.Title, Style: client.Style(m.Style), Avatar: m.Avatar,
		}
	}
	return models
}

// wanted is the room to make: what is given on the command line, and for the rest the preset, if there is one.
func (c *RoomCreateCmd) wanted() (client.NewRoom, preset.Preset, error) {
	r := client.NewRoom{Name: c.Name, CreatedBy: c.As, Description: c.Description, Private: c.Private, Models: seats(c.Model)}
	if c.Preset == "" {
		if c.Name == "" {
			return r, preset.Preset{}, errors.New("the room needs a name: give it one by --name, or take a preset by --preset")
		}
		return r, preset.Preset{}, nil
	}
	list, err := preset.Load(c.Path)
	if err != nil {
		return r, preset.Preset{}, err
	}
	p, err := preset.Find(list, c.Preset)
	if err != nil {
		return r, p, err
	}
	if r.Name == "" {
		r.Name = p.Title
	}
	if r.Description == "" {
		r.Description = p.Description
	}
	r.Models = append(sitting(p), r.Models...)
	r.Policy = client.Policy{ModelPolls: p.Policy.ModelPolls, Total: allowance(p.Policy.Total), Day: allowance(p.Policy.Day)}
	return r, p, nil
}

func allowance(a room.Allowance) client.Allowance {
	return client.Allowance{Cost: client.Money(a.Cost), Tokens: a.Tokens}
}

// suggest says what the models of a preset could work on.
func suggest(out io.Writer, p preset.Preset) {
	if p.Autopilot.Goal == "" {
		return
	}
	fmt.Fprintf(out, "\nOnce you have told its models what it is about, /autopilot lets them work by themselves (%s), for example on:\n\n    %s\n",
		p.Autopilot.Mode, terminal.Line(p.Autopilot.Goal))
}
