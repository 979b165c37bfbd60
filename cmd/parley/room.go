package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"parley/client"
	"parley/cmd/parley/terminal"
)

// RoomCmd holds the commands about rooms.
type RoomCmd struct {
	Create  RoomCreateCmd  `cmd:"" help:"Make a room."`
	Presets RoomPresetsCmd `cmd:"" help:"List the presets that rooms can be made from."`
	List    RoomListCmd    `cmd:"" help:"List the public rooms, or those somebody is a member of."`
	Show    RoomShowCmd    `cmd:"" help:"Show what a room is and who is online in it."`
	Cost    RoomCostCmd    `cmd:"" help:"Show what the models of a room have cost."`
}

// RoomCreateCmd makes a room.
type RoomCreateCmd struct {
	Server      `embed:""`
	Presets     `embed:""`
	Preset      string   `help:"Make the room from this preset (parley room presets lists them); other flags change what it says, and --model adds to it." placeholder:"NAME"`
	Name        string   `help:"The room's name; a preset has one."`
	As          string   `help:"Your user id: you will be the room's admin." required:"" placeholder:"USER"`
	Model       []string `help:"A model to seat: its id, and the provider's name for it if it is not the server's default. Repeatable." placeholder:"ID[=MODEL]" sep:"none"`
	Description string   `help:"What the room is about; models read it too."`
	Private     bool     `help:"Leave the room out of lists."`
	JSON        bool     `help:"Print JSON."`
}

// Run makes the room.
func (c *RoomCreateCmd) Run() error {
	return c.ask(func(ctx context.Context, cl *client.Client) error { return c.create(ctx, cl, os.Stdout) })
}

func (c *RoomCreateCmd) create(ctx context.Context, cl *client.Client, out io.Writer) error {
	wanted, p, err := c.wanted()
	if err != nil {
		return err
	}
	id, err := cl.CreateRoom(ctx, wanted)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(out, map[string]string{"room": id})
	}
	fmt.Fprintf(out, "%s\n\nGo in with:\n\n    parley join %s --as %s%s\n", id, id, c.As, c.flag())
	suggest(out, p)
	return nil
}

// seats reads ID[=MODEL].
func seats(specs []string) []client.Model {
	models := make([]client.Model, len(specs))
	for i, spec := range specs {
		models[i].ID, models[i].Model, _ = strings.Cut(spec, "=")
	}
	return models
}

// RoomListCmd lists rooms.
type RoomListCmd struct {
	Server `embed:""`
	As     string `help:"List the rooms this user is a member of, private ones too." placeholder:"USER"`
	Limit  int    `help:"Most rooms to list." default:"50"`
	JSON   bool   `help:"Print JSON, one room a line."`
}

// Run lists the rooms.
func (c *RoomListCmd) Run() error {
	return c.ask(func(ctx context.Context, cl *client.Client) error { return c.list(ctx, cl, os.Stdout) })
}

func (c *RoomListCmd) list(ctx context.Context, cl *client.Client, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	n := 0
	for r, err := range cl.Rooms(ctx, c.As) {
		if err != nil {
			return err
		}
		if n++; n > c.Limit {
			fmt.Fprintf(table, "There are more: use --limit.\n")
			break
		}
		if c.JSON {
			if err := writeJSON(out, jsonOf(r, nil)); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", terminal.Line(r.ID), terminal.Line(r.Name), names(r.Models), day(r.CreatedAt))
	}
	if n == 0 && !c.JSON {
		none := "There is no public room."
		if c.As != "" {
			none = terminal.Line(c.As) + " is a member of no room."
		}
		fmt.Fprintf(out, "%s Make one: parley room create --name NAME --as USER%s\n", none, c.flag())
	}
	return table.Flush()
}

// RoomShowCmd describes a room.
type RoomShowCmd struct {
	Server `embed:""`
	Room   string `arg:"" help:"The room's id."`
	JSON   bool   `help:"Print JSON."`
}

// Run describes the room.
func (c *RoomShowCmd) Run() error {
	return c.ask(func(ctx context.Context, cl *client.Client) error { return c.show(ctx, cl, os.Stdout) })
}

func (c *RoomShowCmd) show(ctx context.Context, cl *client.Client, out io.Writer) error {
	r, online, err := cl.GetRoom(ctx, c.Room)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(out, jsonOf(r, online))
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, value)
		}
	}
	row("room", terminal.Line(r.ID))
	row("name", terminal.Line(r.Name))
	row("about", terminal.Line(r.Description))
	row("made", strings.TrimSuffix(day(r.CreatedAt)+" by "+terminal.Line(r.CreatedBy), " by "))
	row("found by", map[bool]string{true: "whoever has its id", false: "everybody"}[r.Private])
	row("models", names(r.Models))
	row("online", people(online))
	council, err := cl.GetCouncil(ctx, c.Room)
	if err != nil {
		return err
	}
	for _, p := range council.Polls {
		row("poll", terminal.PollLine(p, time.Local))
	}
	row("autopilot", terminal.AutopilotLine(council, r))
	return table.Flush()
}

// RoomCostCmd shows what a room has spent.
type RoomCostCmd struct {
	Server `embed:""`
	Room   string `arg:"" help:"The room's id."`
	JSON   bool   `help:"Print JSON; money in billionths of a US dollar."`
}

// Run shows it.
func (c *RoomCostCmd) Run() error {
	return c.ask(func(ctx context.Context, cl *client.Client) error { return c.cost(ctx, cl, os.Stdout) })
}

func (c *RoomCostCmd) cost(ctx context.Context, cl *client.Client, out io.Writer) error {
	cost, err := cl.Cost(ctx, c.Room)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(out, costJSONOf(cost))
	}
	fmt.Fprintln(out, terminal.CostTable(cost))
	return nil
}

// ask calls f with a client of the server.
func (s Server) ask(f func(context.Context, *client.Client) error) error {
	ctx, stop := interruptible()
	defer stop()
	cl, err := s.dial()
	if err != nil {
		return err
	}
	defer func() { _ = cl.Close() }()
	return s.explain(f(ctx, cl))
}

// flag is what the next command line needs to reach the same server.
func (s Server) flag() string {
	if s.Server == "127.0.0.1:50052" {
		return ""
	}
	return " --server " + s.Server
}

func names(models []client.Model) string {
	list := make([]string, len(models))
	for i, m := range models {
		list[i] = terminal.Line(m.ID)
		if m.Demo {
			list[i] += " (demo model)"
		}
	}
	return strings.Join(list, ", ")
}

func people(online []client.Person) string {
	list := make([]string, len(online))
	for i, p := range online {
		list[i] = terminal.Line(p.Name)
	}
	return strings.Join(list, ", ")
}

func day(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// roomJSON is a room as --json prints it. Names in it are only ever added.
type roomJSON struct {
	Room        string      `json:"room"`
	Name        string      `json:"name"`
	Description string      `json:"description,omitempty"`
	CreatedAt   time.Time   `json:"created_at,omitzero"`
	CreatedBy   string      `json:"created_by,omitempty"`
	Private     bool        `json:"private"`
	Models      []modelJSON `json:"models"`
	Online      []string    `json:"online,omitempty"`
}

type modelJSON struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Model string `json:"model,omitempty"`
	Demo  bool   `json:"demo"`
}

func jsonOf(r client.Room, online []client.Person) roomJSON {
	j := roomJSON{
		Room: r.ID, Name: r.Name, Description: r.Description, CreatedAt: r.CreatedAt, CreatedBy: r.CreatedBy,
		Private: r.Private, Models: make([]modelJSON, len(r.Models)),
	}
	for i, m := range r.Models {
		j.Models[i] = modelJSON{ID: m.ID, Name: m.Name, Model: m.Model, Demo: m.Demo}
	}
	for _, p := range online {
		j.Online = append(j.Online, p.ID)
	}
	return j
}

// costJSON is what a room has spent as --json prints it. Names in it are only ever added.
type costJSON struct {
	Total  usageJSON     `json:"total"`
	Day    usageJSON     `json:"day"`
	Date   string        `json:"date"`
	Models []accountJSON `json:"models"`
	People []accountJSON `json:"people"`
}

type usageJSON struct {
	NanoUSD  int64 `json:"nano_usd"`
	Input    int   `json:"input_tokens"`
	Output   int   `json:"output_tokens"`
	Unpriced bool  `json:"unpriced"`
}

type accountJSON struct {
	ID    string    `json:"id"`
	Calls int       `json:"calls"`
	Usage usageJSON `json:"usage"`
}

func costJSONOf(c client.Cost) costJSON {
	usage := func(u client.Usage) usageJSON { return usageJSON{int64(u.Cost), u.Input, u.Output, u.Unpriced} }
	accounts := func(list []client.Account) []accountJSON {
		out := make([]accountJSON, len(list))
		for i, a := range list {
			out[i] = accountJSON{a.ID, a.Calls, usage(a.Usage)}
		}
		return out
	}
	return costJSON{usage(c.Total), usage(c.Day), c.Date, accounts(c.Models), accounts(c.People)}
}

func writeJSON(out io.Writer, v any) error { return json.NewEncoder(out).Encode(v) }
