package page

// datasetSpanish are the texts of dataset.go and its template.
var datasetSpanish = map[string]string{}
