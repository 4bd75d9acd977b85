package report

import (
	"cmp"
	"strings"
	"unicode/utf8"
)

// table writes rows, the first of which is the head, as a Markdown table whose columns line up, so that it reads well on a
// terminal too.
func table(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		writeRow(&b, row, widths, " ")
		if n == 0 {
			writeRow(&b, make([]string, len(row)), widths, "-")
		}
	}
	return b.String()
}

func writeRow(b *strings.Builder, row []string, widths []int, fill string) {
	for i, cell := range row {
		b.WriteString("|" + fill + cell)
		b.WriteString(strings.Repeat(fill, widths[i]-utf8.RuneCountInString(cell)+1))
	}
	b.WriteString("|\n")
}

// Table of a result: a row for each contender.
func (r Result) Table() string {
	if len(r.Rows) == 0 {
		return r.Note + "\n"
	}
	head := []string{cmp.Or(r.Of, "contender")}
	for _, column := range r.Columns {
		head = append(head, column.Title)
	}
	rows := [][]string{head}
	for _, row := range r.Rows {
		cells := []string{row.Contender}
		for _, column := range r.Columns {
			cells = append(cells, r.cell(row, column))
		}
		rows = append(rows, cells)
	}
	return table(rows)
}

func (r Result) cell(row Row, column Column) string {
	value, ok := row.Medians[column.Metric]
	if !ok {
		return "-"
	}
	if column.Against == "" {
		return column.Unit.format(value)
	}
	reference, ok := r.value(column.Against, column.Metric)
	if !ok || reference == 0 {
		return "-"
	}
	return Ratio.format(value / reference)
}

// Verdicts of all results: a row for each target.
func Verdicts(results []Result, contender string) string {
	rows := [][]string{{"scenario", "to reach", contender, "reached"}}
	for _, result := range results {
		for _, target := range result.Targets {
			got, reached, measured := result.Reached(target, contender)
			answer := "no"
			switch {
			case !measured:
				answer = "-"
			case reached:
				answer = "yes"
			}
			rows = append(rows, []string{result.Title, target.What, got, answer})
		}
		if result.Note != "" {
			rows = append(rows, []string{result.Title, "-", result.Note, "-"})
		}
	}
	return table(rows)
}
