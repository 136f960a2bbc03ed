metadata description = 'What the parameters of several modules have in common.'

@export()
@description('Who is given a role.')
type principal = {
  @description('The object id in Entra ID.')
  id: string

  @description('What it is.')
  type: 'Group' | 'ServicePrincipal' | 'User'
}

@export()
@description('How often, and where, a storage account keeps its data.')
type redundancyName = 'Standard_GZRS' | 'Standard_LRS' | 'Standard_RAGZRS' | 'Standard_ZRS'

@export()
@description('The name by which the rows of directories know a data account.')
type dataAccount = 'default' | 'd2' | 'd3' | 'd4' | 'd5' | 'd6' | 'd7' | 'd8' | 'd9' | 'd10'

@export()
@description('Tags by their names.')
type tagSet = {
  @description('The value of a tag.')
  *: string
}

@export()
@description('How instances of the app are made and used.')
type scalingChoice = {
  @description('The memory of an instance; 2048 has one core.')
  instanceMemoryMB: 512 | 2048 | 4096

  @description('How many instances there may be.')
  @minValue(40)
  @maxValue(1000)
  maximumInstanceCount: int

  @description('How many instances wait for requests without being started by one.')
  @minValue(0)
  @maxValue(1000)
  alwaysReadyInstances: int

  @description('How many requests an instance works on at once.')
  @minValue(1)
  @maxValue(1000)
  httpConcurrency: int
}

@export()
@description('Logs that are off because they cost by the request.')
type costlyLogChoice = {
  @description('The app\'s log in the workspace, beside Application Insights.')
  app: bool

  @description('Every read of a table.')
  tableReads: bool

  @description('Every write and delete of a table.')
  tableWrites: bool

  @description('Every request to a queue.')
  queues: bool
}

@export()
@description('A GitHub workflow that may publish code.')
type publishingWorkflow = {
  @description('Owner and name of the repository.')
  repository: string

  @description('The environment, in GitHub\'s sense, in which the workflow runs.')
  environment: string
}

@export()
@description('What the portal shows of the application.')
type portalChoice = {
  @description('The application\'s name, as administrators know it.')
  @maxLength(60)
  name: string

  @description('Whom administrators may ask: an e-mail address, or an https address; empty for nobody.')
  support: string

  @description('The path of a PNG file in the package; empty for none.')
  logo: string

  @description('Hosts that a link to the portal may lead back to.')
  returnHosts: string[]
}
