#!/usr/bin/env bash
# Provisions, publishes, rolls back and deletes the service. Every command may be repeated.
set -euo pipefail

readonly DEPLOYMENT=scim
readonly PAUSE=${SCIM_DEPLOY_PAUSE:-20} # Seconds between two attempts of what waits for something.
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly project
readonly python=${SCIM_PYTHON:-$project/.venv/bin/python}

usage() {
  cat <<'USAGE'
infra/deploy.sh COMMAND GROUP ...

  preview   GROUP LOCATION PARAMETERS   show what provisioning would change
  provision GROUP LOCATION PARAMETERS   create or change everything in Azure; PARAMETERS is a .bicepparam file
  publish   GROUP                       publish the commit that is checked out, keep its package, check that it answers
  packages  GROUP                       list what was published, newest last
  rollback  GROUP [PACKAGE]             publish a package again; without a name the newest of another commit
  smoke     GROUP                       check that the service answers
  key       GROUP NAME                  make an API key, which is shown once
  directory GROUP ORGANIZATION NAME     make an organization with a directory, whose token is shown once
  admin     GROUP ARGUMENT ...          run python -m scim.admin on the deployment
  delete    GROUP                       delete the group with all its data, after asking for its name

Needs az, logged in; for publish git, make and curl; for key, directory and admin what make install made.
USAGE
}

say() { printf '==> %s\n' "$*" >&2; }

# fail WHAT TODO
fail() {
  printf 'Stopped: %s\nWhat to do: %s\n' "$1" "$2" >&2
  exit 1
}

# or_stop WHAT TODO COMMAND ...: run a command; when it fails, say what to do and stop.
or_stop() {
  local what=$1 todo=$2
  shift 2
  say "$what"
  "$@" || fail "$what: this failed" "$todo"
}

# until_done ATTEMPTS WHAT TODO COMMAND ...: the same with several attempts, since a new role takes minutes to act.
until_done() {
  local attempts=$1 what=$2 todo=$3 attempt
  shift 3
  say "$what"
  for ((attempt = 1; ; attempt++)); do
    "$@" && return
    ((attempt < attempts)) || fail "$what: this failed $attempts times" "$todo"
    say "attempt $attempt of $attempts failed; the next one is in $PAUSE s"
    sleep "$PAUSE"
  done
}

needs() { command -v "$1" >/dev/null || fail "$1 is not on the path" "$2"; }

logged_in() {
  needs az 'install the Azure CLI: https://learn.microsoft.com/cli/azure/install-azure-cli'
  az account show --output none 2>/dev/null || fail 'nobody is logged in' 'az login, and az account set --subscription NAME'
}

# Read what the deployment of the group tells.
read_outputs() {
  local todo="infra/deploy.sh provision $group LOCATION PARAMETERS" names values
  names='functionAppName.value,baseUrl.value,tableServiceUri.value,queueServiceUri.value,vaultUri.value'
  names+=',furtherDataAccounts.value,newDirectoriesIn.value,packageAccountName.value,packageContainerName.value'
  values=$(az deployment group show --resource-group "$group" --name "$DEPLOYMENT" \
    --query "properties.outputs.[$names]" --output tsv) || fail "the group $group has no deployment named $DEPLOYMENT" "$todo"
  {
    read -r app && read -r base_url && read -r table_uri && read -r queue_uri && read -r vault_uri &&
      read -r further_accounts && read -r new_in && read -r package_account && read -r package_container
  } <<<"$values" || fail "the deployment $DEPLOYMENT of $group did not end" "$todo"
}

# Who may not register it may still find it registered.
register_provider() {
  local state
  state=$(az provider show --namespace Microsoft.App --query registrationState --output tsv) || true
  [ "$state" = Registered ] ||
    or_stop 'resource provider of Flex Consumption and its network' 'ask for the right to register resource providers' \
      az provider register --namespace Microsoft.App --wait
}

# Create the group, and find out who gets the roles that the command lines need.
prepare_group() {
  if [ "$(az group exists --name "$group")" != true ]; then
    or_stop "group $group in $1" 'ask for the role Owner on the subscription, or for a group of which you are Owner' \
      az group create --name "$group" --location "$1" --output none
  fi
  if [ -z "${SCIM_OPERATOR_ID+set}" ]; then
    SCIM_OPERATOR_ID=$(az ad signed-in-user show --query id --output tsv) ||
      fail 'it cannot be told who is logged in' 'export SCIM_OPERATOR_ID=<object id> SCIM_OPERATOR_TYPE=ServicePrincipal, or SCIM_OPERATOR_ID= for no operator'
  fi
  export SCIM_OPERATOR_ID
}

# Make the arguments for a parameter file: a budget keeps the month in which it began, since Azure changes none.
choose_parameters() {
  local begun
  begun=$(az consumption budget list --resource-group "$group" --output tsv \
    --query "[?starts_with(name, 'budget-')].timePeriod.startDate | [:1]") ||
    say "the budgets of $group cannot be read; provisioning stops at one that began earlier"
  parameters=(--parameters "$1")
  [ -z "$begun" ] || parameters+=(--parameters "budgetStart=${begun%%T*}")
}

preview() {
  prepare_group "$1"
  choose_parameters "$2"
  or_stop 'what would change' 'read the message above; the parameter file says what it takes' \
    az deployment group what-if --resource-group "$group" --name "$DEPLOYMENT" "${parameters[@]}"
}

provision() {
  prepare_group "$1"
  register_provider
  choose_parameters "$2"
  or_stop 'resources; this takes some minutes' \
    "az deployment operation group list --resource-group $group --name $DEPLOYMENT tells which; then repeat the command" \
    az deployment group create --resource-group "$group" --name "$DEPLOYMENT" "${parameters[@]}" --output none
  read_outputs
  say "provisioned for $base_url"
}

# smoke: whether the app loaded, reaches tables and vault, answers SCIM, and lets nobody in without a token.
smoke() {
  local nobody=/scim/v2/dir_00000000000000000000000000000000
  local todo="look at the app $app in the portal: Log stream, and Deployment; or infra/deploy.sh rollback $group"
  needs curl 'install curl'
  until_done 30 'the app answers' "404 means that its functions did not load: $todo" answers /health 200
  until_done 30 'tables and vault answer' "a new role takes up to ten minutes; then $todo" answers /health/ready 200
  until_done 3 'the SCIM endpoint answers' "$todo" answers "$nobody/ServiceProviderConfig" 200
  until_done 3 'nobody gets in without a token' "$todo" answers "$nobody/Users" 401
}

# answers PATH STATUS
answers() {
  local url=$base_url$1 status
  status=$(curl --silent --max-time 30 --output /dev/null --write-out '%{http_code}' "$url") || true
  [ "$status" = "$2" ] && return
  say "$url answered $status, not $2"
  return 1
}

package_blob() {
  az storage blob "$1" --account-name "$package_account" \
    --container-name "$package_container" --auth-mode login "${@:2}"
}

packages() { package_blob list --query 'sort([].name)' --output tsv; }

# publish_zip FILE COMMIT: the package is kept under the time of its publication, so that names tell the order.
# It is kept before it is checked, so that rolling back leads away from one that does not answer.
publish_zip() {
  until_done 3 "publishing to $app; this takes some minutes" \
    "read the message above; the portal shows the build under Deployment of $app" \
    az functionapp deployment source config-zip --resource-group "$group" --name "$app" \
    --src "$1" --build-remote true --timeout 900 --output none
  until_done 30 'keeping the package' 'the operator needs the role Storage Blob Data Contributor on the packages' \
    package_blob upload --name "$(date -u +%Y%m%dT%H%M%SZ)-$2.zip" --file "$1" --no-progress --output none
  smoke
  say "published: $2"
}

publish() {
  local commit changes
  needs make 'install make'
  needs git 'install git'
  changes=$(git -C "$project" status --porcelain) || fail "$project is no checkout" 'clone the repository with git'
  [ -z "$changes" ] ||
    fail 'there are changes that are not committed' 'commit them: a package is named for the commit that it holds'
  commit=$(git -C "$project" rev-parse --short=12 HEAD)
  or_stop 'package' 'read the message above' make --silent -C "$project" package
  publish_zip "$project/dist/functions.zip" "$commit"
}

# The newest package of another commit than the one that was published last.
previous_package() {
  local names
  names=$(packages) || fail 'the packages cannot be listed' 'the operator needs the role Storage Blob Data Contributor on them'
  grep -v -- "-${names##*-}\$" <<<"$names" | tail -n 1 || true
}

rollback() {
  local name=${1:-} commit folder
  [ -n "$name" ] || name=$(previous_package)
  [ -n "$name" ] || fail 'there is no package of an earlier commit' "infra/deploy.sh packages $group lists what there is"
  folder=$(mktemp -d)
  or_stop "package $name" "infra/deploy.sh packages $group lists what there is" \
    package_blob download --name "$name" --file "$folder/functions.zip" --no-progress --output none
  commit=${name##*-}
  publish_zip "$folder/functions.zip" "${commit%.zip}"
  rm -r "$folder"
}

admin() {
  [ -x "$python" ] || fail "$python is not there" 'make install'
  (
    cd "$project"
    export DataStorage__tableServiceUri=$table_uri DataStorage__queueServiceUri=$queue_uri
    export SCIM_FURTHER_DATA_ACCOUNTS=$further_accounts SCIM_NEW_DIRECTORIES_IN=$new_in
    export SCIM_SECRET_STORE=$vault_uri SCIM_PUBLIC_BASE_URL=$base_url
    "$python" -m scim.admin "$@"
  )
}

# Reads, so that nothing is made by half while the operator's new role does not act yet.
reach_tables() {
  until_done 30 'the tables let you in' 'read the message above: your role on them, or the network, keeps you out' keys_listed
}

keys_listed() { admin keys list >/dev/null; }

key() {
  reach_tables
  admin keys create "$1" || fail 'no key was made' 'read the message above and repeat the command'
}

directory() {
  local made
  reach_tables
  made=$(admin organizations create "$1" --json) || fail 'no organization was made' 'read the message above and repeat the command'
  made=$("$python" -c 'import json, sys; print(json.load(sys.stdin)["id"])' <<<"$made")
  admin directories create "$made" "$2" || fail "no directory was made in $made" \
    "read the message above; a new role takes up to ten minutes. Then: infra/deploy.sh admin $group directories create $made '$2'"
}

delete() {
  local answer locks lock vault vaults todo='az group list names the groups that you see' IFS=$'\n'
  printf 'This deletes the group %s with all directories, users, events and tokens. Type its name: ' "$group" >&2
  read -r answer
  [ "$answer" = "$group" ] || fail 'that is not its name' 'nothing was deleted'
  say "vaults and locks of $group"
  vaults=$(az keyvault list --resource-group "$group" --query '[].name' --output tsv) || fail "$group cannot be read" "$todo"
  locks=$(az lock list --resource-group "$group" --query '[].id' --output tsv) || fail "$group cannot be read" "$todo"
  for lock in $locks; do
    or_stop "lock ${lock##*/}" 'ask for the role Owner on the group' az lock delete --ids "$lock"
  done
  or_stop "group $group; this takes some minutes" 'read the message above and repeat the command' \
    az group delete --name "$group" --yes
  for vault in $vaults; do
    say "The vault $vault keeps its name until its retention ends, since purge protection cannot be lifted."
    say "To provision the same group again: az keyvault recover --name $vault, or another value of the parameter nameSalt."
  done
}

main() {
  local command=${1:-help}
  case $command/$# in
    help/* | -h/* | --help/*) usage && return ;;
    preview/4 | provision/4 | publish/2 | packages/2 | rollback/[23] | smoke/2 | key/3 | directory/4 | delete/2) ;;
    admin/*) [ $# -gt 2 ] || { usage >&2 && return 2; } ;;
    *) usage >&2 && return 2 ;;
  esac
  group=$2
  shift 2
  logged_in
  case $command in
    preview | provision | delete) ;;
    *) read_outputs ;;
  esac
  "$command" "$@"
}

main "$@"
