// Prints what Microsoft's own parser of KQL finds wrong: node kql_check.cjs PACKAGE < queries.json
const fs = require("fs");
const path = require("path");
const vm = require("vm");

// The columns that our queries read, as Azure documents these tables.
const TABLES = {
  AppTraces: "(TimeGenerated: datetime, Message: string, Properties: dynamic)",
  AzureDiagnostics:
    "(TimeGenerated: datetime, ResourceProvider: string, OperationName: string, ResultSignature: string, CallerIPAddress: string)",
  FunctionAppLogs: "(TimeGenerated: datetime, Message: string, Level: string, Category: string)",
};

for (const name of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  vm.runInThisContext(fs.readFileSync(path.join(process.argv[2], name), "utf8"));
}
const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;
const tables = Object.entries(TABLES).map(([name, columns]) => Symbols.TableSymbol.From(columns).WithName(name));
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor3("workspace", null, tables));

const found = [];
for (const query of JSON.parse(fs.readFileSync(0, "utf8"))) {
  const diagnostics = KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
  for (let i = 0; i < diagnostics.Count; i++) {
    const { Message, Start } = diagnostics.getItem(i);
    found.push(`${Message} At: ${query.slice(Start, Start + 60)}`);
  }
}
console.log(JSON.stringify(found));
