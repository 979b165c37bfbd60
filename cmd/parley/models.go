package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"text/tabwriter"

	"parley/cmd/parley/terminal"
	"parley/config"
	"parley/llm"
)

// ModelsCmd lists the models.
type ModelsCmd struct {
	Config string `help:"Configuration file; without it config.yaml of the working folder, if there is one." placeholder:"FILE" type:"path"`
}

// Run lists them as a server with this configuration would have them.
func (c *ModelsCmd) Run() error {
	cfg, err := loadConfig(c.Config)
	if err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	return listModels(ctx, cfg, newLogger(cfg), os.Stdout)
}

// listModels writes what there is to choose from, then which providers cannot be used and why. Those that fail to list
// theirs are logged.
func listModels(ctx context.Context, cfg config.Config, log *slog.Logger, out io.Writer) (err error) {
	model, closer, err := openModel(cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	lister, ok := model.(llm.Lister)
	if !ok {
		return errors.New("the models have no list")
	}
	list, err := lister.List(ctx)
	if err != nil {
		return fmt.Errorf("list the models: %w", err)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tTOOLS\tCONTEXT\tTITLE")
	for _, m := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", terminal.Line(m.Name), yesNo(m.Tools), tokens(m.Context), terminal.Line(m.Title))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return listUnusable(cfg, log, out)
}

// listUnusable writes which providers of this process cannot be used, and what each is missing.
func listUnusable(cfg config.Config, log *slog.Logger, out io.Writer) error {
	if cfg.ChatService.Address != "" { // the service has providers of its own
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	title := "\nNot to be used:\n"
	for _, p := range newMaker(cfg, log).providers() {
		if p.Why == nil {
			continue
		}
		why := p.Why.Error()
		if how := cfg.MissingKey(config.LLMProvider(p.Name)); how != "" {
			why = "it has no key: " + how
		}
		fmt.Fprintf(table, "%s%s\t%s\n", title, p.Name, why)
		title = ""
	}
	return table.Flush()
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// tokens writes how much a model can read; nothing if that is unknown.
func tokens(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
