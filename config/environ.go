package config

import (
	"fmt"
	"slices"
	"strings"
)

// fromEnviron lists what the environment sets, in the order of the keys, and warns of names that look misspelt.
func fromEnviron(environ []string) ([]setting, []Warning) {
	values := variables(environ)
	var list []setting
	for _, key := range keys() {
		if text, ok := values[env(key)]; ok {
			list = append(list, setting{key: key, text: text, at: origin{env: env(key)}})
			delete(values, env(key))
		}
	}
	return list, misspelt(values)
}

// variables are what is set to something.
func variables(environ []string) map[string]string {
	values := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok && value != "" {
			values[name] = value
		}
	}
	return values
}

// misspelt warns of variables that share the section with a known one and nearly its name. Others are none of our
// business: the environment belongs to the whole machine.
func misspelt(values map[string]string) []Warning {
	var list []Warning
	for name := range values {
		if meant := nearestEnv(name); meant != "" {
			list = append(list, Warning(fmt.Sprintf("environment variable %s sets nothing: did you mean %s?", name, meant)))
		}
	}
	slices.Sort(list)
	return list
}

func nearestEnv(name string) string {
	var known []string
	for _, key := range keys() {
		section, _, _ := strings.Cut(key, ".")
		if strings.HasPrefix(name, env(section)+"_") {
			known = append(known, env(key))
		}
	}
	if meant := nearest(name, known); meant != "" && distance(name, meant) <= 2 {
		return meant
	}
	return ""
}
