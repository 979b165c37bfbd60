package room

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// methodsOf lists the types of this package that have the method, by name.
func methodsOf(t *testing.T, method string) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != method || f.Recv == nil {
				continue
			}
			if value, ok := f.Recv.List[0].Type.(*ast.Ident); ok { // a pointer's is not an Event's or a Command's
				list = append(list, value.Name)
			}
		}
	}
	slices.Sort(list)
	return list
}

// A kind that has no name could be decided but never stored.
func TestKindsNameEveryEvent(t *testing.T) {
	known := []string{"Unknown"}
	for _, typ := range kinds {
		known = append(known, typ.Name())
	}
	slices.Sort(known)
	if declared := methodsOf(t, "apply"); !slices.Equal(declared, known) {
		t.Errorf("events %v\n kinds %v", declared, known)
	}
}

// filled sets every field of v to something that is not zero and not like its neighbours.
func filled(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(strings.Repeat("s", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		filled(v.Index(0), n)
		filled(v.Index(1), n)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem(), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeOf(morning) {
			v.Set(reflect.ValueOf(morning.Add(123456789)))
			return
		}
		for i := range v.NumField() {
			filled(v.Field(i), n)
		}
	default:
		panic("cannot fill " + v.Type().String())
	}
}

// filledEvents has an event of each kind, with all of its fields, in the order of their names.
func filledEvents() (names []string, events []Event) {
	for kind := range kinds {
		names = append(names, kind)
	}
	slices.Sort(names)
	for _, kind := range names {
		v := reflect.New(kinds[kind]).Elem()
		filled(v, new(int))
		events = append(events, v.Interface().(Event))
	}
	return names, events
}
