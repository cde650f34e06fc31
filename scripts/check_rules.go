// Reads expressions, one a line, and a file of alerts, as Prometheus itself does. `check_rules.py`
// runs it.
package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	failed := false
	_, errors := rulefmt.ParseFile(os.Args[1])
	for _, err := range errors {
		fmt.Println(err)
		failed = true
	}
	lines, count := bufio.NewScanner(os.Stdin), 0
	for lines.Scan() {
		count++
		if _, err := parser.ParseExpr(lines.Text()); err != nil {
			fmt.Printf("%s\n  %v\n", lines.Text(), err)
			failed = true
		}
	}
	fmt.Printf("%d expressions and %s were read\n", count, os.Args[1])
	if failed {
		os.Exit(1)
	}
}
