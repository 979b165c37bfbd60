package config

import (
	"fmt"
	"strings"
)

// didYouMean ends a message about an unknown key, or is empty if nothing known resembles it.
func didYouMean(key string, known []string) string {
	if meant := nearest(key, known); meant != "" {
		return fmt.Sprintf(": did you mean %q?", meant)
	}
	return ": config.example.yaml lists the known ones"
}

// nearest returns the known name that is most like name, empty if none is. The last part alone is a near miss, too:
// it stands in the wrong section.
func nearest(name string, known []string) string {
	best, least := "", len([]rune(name))/2+1
	for _, candidate := range known {
		d := distance(name, candidate)
		if strings.HasSuffix(candidate, "."+name) {
			d = 1
		}
		if d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance counts the edits from a to b: a letter added, left out, changed, or swapped with its neighbour.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > 4*len(t)+4 { // far anyway; a key may be as long as a file
		return len(s)
	}
	var before []int
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := range s {
		next := make([]int, len(t)+1)
		next[0] = i + 1
		for j := range t {
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+differ(s[i], t[j]))
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(t)]
}

func differ(a, b rune) int {
	if a == b {
		return 0
	}
	return 1
}
