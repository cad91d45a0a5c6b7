package page

// querySpanish are the texts of query.go and its template.
var querySpanish = map[string]string{}
