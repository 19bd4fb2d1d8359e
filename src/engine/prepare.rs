//! From the command line to a plan: look, check, make the empty ghost, look again.

use std::sync::Arc;

use super::indexes::{Chooser, PutOff};
use super::resume::Resumed;
use super::topology::Route;
use super::{
    Early, backfill, clean, desired, duplicates, earlier, fence, indexes, queries, resume, revert,
    shortcut, triggers, usual,
};
use crate::config::Config;
use crate::limits;
use crate::mysql::classify::Fault;
use crate::mysql::inspect;
use crate::mysql::session::{Session, mark_of_table};
use crate::mysql::triggers::of_original;
use crate::plan::alter::{self, Alter};
use crate::plan::constraints::{Check, CheckNames, Taken, checks_of};
use crate::plan::conversion::Misfits;
use crate::plan::findings::{self, listed};
use crate::plan::inspection::{Inspection, Needs, Server, Table};
use crate::plan::names::Names;
use crate::plan::saved::Saved;
use crate::plan::triggers::Trigger;
use crate::plan::{self, Companions, Plan, Refusal, Wishes, unique_key};
use crate::report::Reporter;
use crate::sql::checkpoint::{create_checkpoint, describe_migration};
use crate::sql::cutover::without_counter;
use crate::sql::{Sql, Statement, helpers, verify};

/// A planned migration whose ghost and changelog exist and are empty.
pub(super) struct Prepared {
    /// The plan.
    pub plan: Arc<Plan>,
    /// What the server is.
    pub server: Server,
    /// Holds the advisory lock; also cleans up at the end.
    pub session: Session,
    /// Where the run works.
    pub route: Route,
    /// It goes on from here.
    pub resumed: Option<Resumed>,
}

/// The ALTER as it is understood.
fn readable(text: &str) -> Result<Alter, Early> {
    // The server leaves out what is meant for a newer one; a copy of that rule could differ.
    if text.contains("/*!") || text.contains("/*M!") {
        return Err(Early::Refused(vec![Refusal::new(
            "the ALTER contains an executable comment (/*! … */)",
            "write its content plainly, or leave it out",
        )]));
    }
    alter::parse(text).map_err(|error| {
        Early::Refused(vec![Refusal::new(
            format!("the ALTER can't be read: {error}"),
            "correct it; the server would refuse it as well",
        )])
    })
}

/// Checks everything and makes the helper tables. Whatever speaks against the migration leaves
/// nothing on the server.
pub(super) async fn prepare(
    config: &Config,
    names: &Names,
    route: Route,
    reporter: &Reporter,
) -> Result<Prepared, Early> {
    let address = &route.written;
    let alter = if names.reverts {
        Alter::default()
    } else {
        readable(&config.alter)?
    };
    let mut session = Session::open(address, usual("main", PLAIN_MODE.into())).await?;
    if config.setup_instruments && inspect::switch_instruments_on(&mut session).await? {
        reporter.info("switched the instrument wait/lock/metadata/sql/mdl on");
    }
    advisory_lock(&mut session, names).await?;
    let table = mark_of_table(&names.advisory_lock());
    let marks_shown = earlier::end(&mut session, &table, &address.token, reporter).await?;
    let needs = Needs {
        kills: config.cut_over.force_after.is_some(),
        triggers: config.triggers.is_some(),
        plans: config.cut_over.plans.is_some(),
        keeps_values: config.revert_window.is_some() && !alter.dropped.is_empty(),
        checkpoints: config.execute && config.checkpoint.is_some(),
    };
    let mut facts = inspect::inspect(&mut session, names, (route.setting, needs)).await?;
    session.pin(&facts.server.uuid);
    let backfills = match &facts.original {
        Some(original) => backfill::typed(&mut session, config, names, original).await?,
        None => Default::default(),
    };
    facts.backfills = backfills.0;
    let saved = resume::wanted(&facts, config);
    let given = (config, names, &route);
    let told = (&facts, &alter, saved);
    let original = checked(&mut session, given, told, backfills.1).await?;
    if !marks_shown {
        return Err(unmarked());
    }
    let doing = if names.reverts {
        "reverting"
    } else {
        "migrating"
    };
    reporter.info(format!(
        "{doing} table=`{}`.`{}` server={}:{} version={} rows={} (estimate)",
        names.schema,
        names.original,
        facts.server.hostname,
        facts.server.port,
        facts.server.version,
        original.rows_estimate,
    ));
    let told = (original, &alter, names);
    let ready = match saved {
        Some(saved) => go_on(&mut session, config, (&facts, saved), told, reporter).await?,
        None if names.reverts => {
            let told = (told.0, names);
            let (plan, resumed) = revert::plan(&mut session, config, &facts, told).await?;
            (plan, Some(resumed))
        }
        None => anew(&mut session, config, (&facts, &route), told, reporter).await?,
    };
    let (plan, resumed) = ready;
    Ok(Prepared {
        plan: Arc::new(plan),
        server: facts.server,
        session,
        route,
        resumed,
    })
}

fn unmarked() -> Early {
    Early::Refused(vec![Refusal::new(
        "the server doesn't show the attributes of connections, so a lost one can't be ended",
        "connect to the server itself and not through a proxy; or set \
         performance_schema_session_connect_attrs_size to 512 or more and restart the server",
    )])
}

/// Everything that speaks against the migration and against going on with an earlier run, at once.
async fn checked(
    session: &mut Session,
    given: (&Config, &Names, &Route),
    (facts, alter, saved): (&Inspection, &Alter, Option<&Saved>),
    unfit_backfills: Vec<Refusal>,
) -> Result<Table, Early> {
    let (config, names, _) = given;
    let mut unfit = match saved {
        Some(saved) => resume::unfit(session, given, (saved, facts)).await?,
        None if names.reverts => revert::speaks_against(session, given, facts).await?,
        None => Vec::new(),
    };
    unfit.extend(unfit_backfills);
    unfit.extend(backfill::done_before(session, (config, names), facts).await?);
    unfit.extend(fence::other_table(session, (config, names), facts).await?);
    unfit.extend(queries::speaks_against(session, config).await?);
    let original = facts.original.as_ref();
    unfit.extend(original.and_then(|original| desired::altered_since(config, original)));
    match plan::check(facts, alter, names, &config.wishes) {
        Ok(original) if unfit.is_empty() => Ok(original),
        Ok(_) => Err(Early::Refused(unfit)),
        Err(refusals) => Err(Early::Refused([refusals, unfit].concat())),
    }
}

/// A migration from its beginning. What speaks against it leaves nothing on the server.
async fn anew(
    session: &mut Session,
    config: &Config,
    (facts, route): (&Inspection, &Route),
    (original, alter, names): (Table, &Alter, &Names),
    reporter: &Reporter,
) -> Result<(Plan, Option<Resumed>), Early> {
    let chooser = Chooser {
        config,
        route,
        version: facts.server.version,
        reporter,
    };
    match begin(session, config, facts, (original, alter, names), &chooser).await {
        Ok(plan) => Ok((plan, None)),
        // A person decides; what is there is evidence.
        Err(early @ Early::Unsettled(_)) => Err(early),
        Err(early) => {
            let left = clean::drop_made(session, names, config.execute, reporter).await;
            Err(match early {
                Early::Altered { native, .. } => Early::Altered { native, left },
                other => other,
            })
        }
    }
}

/// Makes the tables and tries out what can be tried out.
async fn begin(
    session: &mut Session,
    config: &Config,
    facts: &Inspection,
    (original, alter, names): (Table, &Alter, &Names),
    chooser: &Chooser<'_>,
) -> Result<Plan, Early> {
    let checkpoints = config.execute && config.checkpoint.is_some();
    let again = original.clone();
    let (mut plan, mut moment) =
        make_tables(session, facts, original, (alter, names), chooser).await?;
    match chooser.put_off(session, &plan).await? {
        PutOff::Done(deferred) => plan.deferred = Some(deferred),
        PutOff::Kept => {}
        PutOff::Spoilt => {
            (plan, moment) =
                made_anew(session, facts, (plan, again), (alter, names, config)).await?;
        }
    }
    triggers::prepare(session, config, &mut plan).await?;
    if checkpoints {
        let origin = resume::origin(config, (&plan, &facts.server), &moment)?;
        session.run(&describe_migration(names, &origin)).await?;
    }
    Ok(plan)
}

/// Takes the tables of an earlier run as they are.
async fn go_on(
    session: &mut Session,
    config: &Config,
    told: (&Inspection, &Saved),
    (original, alter, names): (Table, &Alter, &Names),
    reporter: &Reporter,
) -> Result<(Plan, Option<Resumed>), Early> {
    let (mut plan, resumed) = resume::plan(session, config, told, (original, alter, names)).await?;
    triggers::prepare(session, config, &mut plan).await?;
    reporter.info(format!(
        "going on from checkpoint {} of an earlier run: rows={}",
        resumed.checkpoint.number, resumed.checkpoint.rows_copied
    ));
    Ok((plan, Some(resumed)))
}

/// Tells what was planned.
pub(super) fn announce(plan: &Plan, reporter: &Reporter) {
    let columns: Vec<&str> = plan
        .key
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    reporter.info(format!(
        "plan key=`{}` ({}) copied_columns={} new_unique_keys={}",
        plan.key.original_index,
        columns.join(", "),
        plan.columns.shared.len(),
        plan.introduced_keys.len(),
    ));
    if !plan.columns.backfilled.is_empty() {
        reporter.info(format!("backfilled columns: {}", plan.columns.filled()));
    }
    for finding in findings::wished(plan) {
        reporter.warn(finding.what);
    }
    if !plan.triggers.is_empty() {
        let names: Vec<String> = plan.triggers.iter().map(|one| one.name.clone()).collect();
        reporter.info(format!(
            "triggers of the new table: {}; the old table keeps its own",
            listed(&names)
        ));
    }
    indexes::announce(plan, reporter);
}

/// A row with NULL in the shared key, which no chunk and no key would ever reach.
pub(super) async fn null_in_key(
    session: &mut Session,
    plan: &Plan,
) -> Result<Option<Refusal>, Fault> {
    let Some(statement) = Sql::new(plan).null_in_key(&plan.key.nullable) else {
        return Ok(None);
    };
    let answer = session
        .run_for(&statement, limits::LONG_STATEMENT_TIMEOUT)
        .await?;
    let found = !answer.rows.is_empty();
    Ok(found.then(|| {
        Refusal::new(
            format!(
                "unique key `{}` is the only one that can pair the rows, and a row has NULL in {}",
                plan.key.original_index,
                listed(&plan.key.nullable),
            ),
            "give such rows a value, or the table a primary key, and run the command again",
        )
    }))
}

/// Conversions that no expression repeats can't be verified, and not all of them come out of INSERT …
/// SELECT as they come out of ALTER.
pub(super) fn verifiable(plan: &Plan) -> Result<(), Early> {
    let refusals: Vec<Refusal> = verify::unverified(&plan.columns.shared)
        .iter()
        .map(|shared| {
            Refusal::new(
                format!(
                    "column `{}` changes from {} to {}, a conversion whose result can't be verified",
                    shared.from.name, shared.from.column_type, shared.to.column_type
                ),
                "convert it by a plain ALTER, or into a new column",
            )
        })
        .collect();
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(Early::Refused(refusals))
    }
}

/// Keeps a second run on this table away, gh-ost's included; lives as long as the connection.
pub(super) async fn advisory_lock(session: &mut Session, names: &Names) -> Result<(), Early> {
    let name = crate::sql::text_literal(&names.advisory_lock());
    let Some(holder) = clean::holder_of_lock(session, names).await? else {
        return Ok(());
    };
    Err(Early::Refused(vec![Refusal::new(
        format!(
            "another migration of `{}`.`{}` is running (advisory lock {name} is held by connection \
             {holder})",
            names.schema, names.original
        ),
        "wait for it, or end it",
    )]))
}

/// The ALTER is understood with plain quotes and escapes, so the session must be as plain; zero
/// dates in defaults of unchanged columns must pass.
pub(super) fn ddl_mode(server_mode: &str, misfits: Misfits) -> String {
    const LEFT_OUT: [&str; 8] = [
        "STRICT_ALL_TABLES",
        "STRICT_TRANS_TABLES",
        "ANSI",
        "ANSI_QUOTES",
        "NO_BACKSLASH_ESCAPES",
        "NO_ZERO_DATE",
        "NO_ZERO_IN_DATE",
        "",
    ];
    let mut modes: Vec<&str> = server_mode
        .split(',')
        .filter(|mode| !LEFT_OUT.contains(mode))
        .collect();
    modes.push("NO_AUTO_VALUE_ON_ZERO");
    if misfits == Misfits::Refused {
        modes.push("STRICT_ALL_TABLES");
    }
    modes.join(",")
}

/// The mode in which the ghost gets the original's shape: defaults that are no dates are its own.
pub(super) const PLAIN_MODE: &str = "STRICT_ALL_TABLES,ALLOW_INVALID_DATES";

/// Makes the changelog and the ghost, and looks whether anything speaks against the migration.
async fn make_tables(
    session: &mut Session,
    facts: &Inspection,
    original: Table,
    (alter, names): (&Alter, &Names),
    chooser: &Chooser<'_>,
) -> Result<(Plan, Moment), Early> {
    let config = chooser.config;
    let wishes = &config.wishes;
    // First: it must not describe a ghost that is made anew.
    if config.execute {
        drop_leftover(session, facts, names, &names.checkpoint).await?;
    }
    drop_leftover(session, facts, names, &names.changelog).await?;
    drop_leftover(session, facts, names, &names.ghost).await?;
    session.run(&helpers::create_changelog(names)).await?;
    let signature = helpers::sign_changelog(names, session.mark());
    session.run(&signature).await?;
    if config.execute && config.checkpoint.is_some() {
        session.run(&create_checkpoint(names)).await?;
    }
    let taken = [&facts.check_names[..], &facts.old_check_names].concat();
    let (told, again) = ((alter, names, config, &taken[..]), original.clone());
    let unasked = shortcut::forbidden(config, facts, alter, chooser.reporter);
    let shortcuts = unasked.is_none();
    let (mut plan, mut moment) = make_ghost(session, facts, original, told, shortcuts).await?;
    plan.direct.unasked = unasked.unwrap_or_default();
    plan.original_triggers = triggers_of(session, names, wishes).await?;
    verifiable(&plan)?;
    backfill::fits(session, &plan, config).await?;
    unchanged(session, &plan).await?;
    if plan.direct.native.is_none() && !plan.direct.why_not.is_empty() {
        let why = &plan.direct.why_not;
        let text = format!("not possible instantly, so it is migrated: {why}");
        chooser.reporter.info(text);
    }
    if let Some(native) = plan.direct.native.filter(|_| config.execute) {
        let told = (config, alter, &facts.server);
        if shortcut::attempt(session, (&plan, native), told, chooser.reporter).await? {
            let left = false;
            return Err(Early::Altered { native, left });
        }
        // What was altered instantly keeps its dropped columns and a version of its rows.
        let told = (alter, names, config);
        (plan, moment) = made_anew(session, facts, (plan, again.clone()), told).await?;
        plan.direct.native = None;
    }
    rows_fit(session, &plan).await?;
    if !wishes.execute {
        return Ok((plan, moment));
    }
    // Only now, when nothing speaks against the migration any more: it may be somebody's only copy of
    // what the table was.
    drop_leftover(session, facts, names, &names.old).await?;
    if !facts.old_check_names.is_empty() {
        // The names of its constraints are free now.
        let told = (alter, names, config);
        (plan, moment) = made_anew(session, facts, (plan, again), told).await?;
    }
    Ok((plan, moment))
}

/// No row speaks against the migration; all kinds that do are told at once.
async fn rows_fit(session: &mut Session, plan: &Plan) -> Result<(), Early> {
    let mut refusals: Vec<Refusal> = null_in_key(session, plan).await?.into_iter().collect();
    for found in [
        no_duplicates(session, plan).await,
        no_zeros(session, plan).await,
    ] {
        match found {
            Err(Early::Refused(more)) => refusals.extend(more),
            other => other?,
        }
    }
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(Early::Refused(refusals))
    }
}

/// The ghost dropped and made once more.
async fn made_anew(
    session: &mut Session,
    facts: &Inspection,
    (plan, original): (Plan, Table),
    (alter, names, config): (&Alter, &Names, &Config),
) -> Result<(Plan, Moment), Early> {
    let ghost = helpers::drop_table(&names.schema, &names.ghost);
    session.run(&ghost).await?;
    // A trial has left the old table, with its names, where it was.
    let old = if config.execute {
        &[][..]
    } else {
        &facts.old_check_names
    };
    let taken = [&facts.check_names[..], old].concat();
    let told = (alter, names, config, &taken[..]);
    let (made, moment) = make_ghost(session, facts, original, told, false).await?;
    let plan = Plan {
        original_triggers: plan.original_triggers,
        direct: plan.direct,
        ..made
    };
    Ok((plan, moment))
}

/// The migration's time: in the server's zone, and in UTC.
type Moment = (String, String);

/// Makes the ghost; its CHECK constraints get names that aren't taken.
async fn make_ghost(
    session: &mut Session,
    facts: &Inspection,
    original: Table,
    (alter, names, config, taken): (&Alter, &Names, &Config, &[String]),
    shortcuts: bool,
) -> Result<(Plan, Moment), Early> {
    let now = session
        .say("read the time", "SELECT NOW(6), UTC_TIMESTAMP(6)")
        .await?;
    let moment = |column| now.text(0, column).unwrap_or_default();
    let moment = (moment(0), moment(1));
    session.run(&helpers::create_ghost(names)).await?;
    let taken = Taken {
        in_schema: taken,
        table_names: facts.server.table_names,
    };
    let checks = name_checks(session, &taken, &original, alter, names).await?;
    let text = checks.clauses(alter);
    let told = (alter, &original, text.as_ref());
    let made = shortcut::alter_the_ghost(session, names, told, (facts, config, shortcuts)).await?;
    let given = plan::Given {
        wishes: &config.wishes,
        checks: &checks,
        now: &moment.0,
        now_utc: &moment.1,
    };
    let plan = plan::make(facts, original, made.ghost, alter, names.clone(), given);
    let plan = Plan {
        direct: made.direct,
        ..plan.map_err(Early::Refused)?
    };
    Ok((plan, moment))
}

/// Nobody but this run may drop it.
pub(super) fn ghost_gone() -> Early {
    Early::Failed(crate::core::event::Failure::new(
        "the ghost table disappeared while it was made",
        "look who drops tables in this schema, then run the command again",
    ))
}

/// Drops what an earlier run has left under this name; that it may go was checked.
async fn drop_leftover(
    session: &mut Session,
    facts: &Inspection,
    names: &Names,
    table: &str,
) -> Result<(), Fault> {
    let mut found = facts.leftovers.iter();
    if found.any(|found| crate::plan::inspection::same_name(&found.name, table)) {
        let statement = helpers::drop_table(&names.schema, table);
        session
            .run_for(&statement, limits::LONG_STATEMENT_TIMEOUT)
            .await?;
    }
    Ok(())
}

/// A plain ALTER that makes a column count by itself gives numbers to its zeros; a copy can't give the
/// same ones.
pub(super) async fn no_zeros(session: &mut Session, plan: &Plan) -> Result<(), Early> {
    let Some(statement) = Sql::new(plan).zeros_that_would_be_numbered(plan) else {
        return Ok(());
    };
    let answer = session
        .run_for(&statement, limits::LONG_STATEMENT_TIMEOUT)
        .await?;
    if answer.rows.is_empty() {
        return Ok(());
    }
    Err(Early::Refused(vec![Refusal::new(
        "the ALTER adds AUTO_INCREMENT to a column that holds 0 or NULL, which a plain ALTER would \
         replace by new numbers",
        "give those rows values of their own first, or use a plain ALTER",
    )]))
}

/// LIKE gave the ghost's CHECK constraints names of its own; they get those by which the ALTER and
/// the rename know them.
async fn name_checks(
    session: &mut Session,
    taken: &Taken<'_>,
    original: &Table,
    alter: &Alter,
    names: &Names,
) -> Result<CheckNames, Early> {
    let checks = CheckNames::new(original, alter, names, taken)
        .map_err(|refusal| Early::Refused(vec![refusal]))?;
    let made = ghost_checks(session, names).await?;
    if checks.as_made(&made) {
        return Ok(checks);
    }
    if !checks.shown_faithfully() {
        return checks
            .like_made(&made)
            .map_err(|refusal| Early::Refused(vec![refusal]));
    }
    session.run(&helpers::drop_checks(names, &made)).await?;
    session
        .run(&helpers::add_checks(names, &checks.ghost))
        .await?;
    if checks.as_made(&ghost_checks(session, names).await?) {
        return Ok(checks);
    }
    Err(Early::Refused(vec![Refusal::new(
        "the table's CHECK constraints can't be made again from SHOW CREATE TABLE",
        "drop them, migrate, and add them again by a plain ALTER; and report it as a bug",
    )]))
}

async fn ghost_checks(session: &mut Session, names: &Names) -> Result<Vec<Check>, Fault> {
    let ghost = inspect::definition(session, &names.schema, &names.ghost).await?;
    Ok(checks_of(&ghost))
}

/// The server's word about the ALTER, as a refusal: nothing but an empty ghost was touched.
pub(super) fn refused_alter(fault: Fault) -> Early {
    use crate::mysql::classify::FaultKind;
    match fault.kind {
        FaultKind::Definite => Early::Refused(vec![Refusal::new(
            format!(
                "the server refuses the ALTER: {} ({})",
                fault.message,
                fault.code.unwrap_or(0)
            ),
            "correct the ALTER; it was tried on an empty copy of the table",
        )]),
        FaultKind::Held
        | FaultKind::Conflict
        | FaultKind::TooLarge
        | FaultKind::Lost
        | FaultKind::TimedOut => Early::Failed(fault.failure()),
    }
}

pub(super) async fn set_mode(session: &mut Session, mode: &str) -> Result<(), Fault> {
    let settings = format!("SET SESSION sql_mode='{mode}'");
    session.say("set the session up", &settings).await?;
    Ok(())
}

/// The original's triggers, if they go along.
pub(super) async fn triggers_of(
    session: &mut Session,
    names: &Names,
    wishes: &Wishes,
) -> Result<Vec<Trigger>, Fault> {
    match wishes.triggers {
        Companions::DealtWith => of_original(session, names).await,
        Companions::Refused => Ok(Vec::new()),
    }
}

/// Nobody altered the original since it was inspected, or gave it triggers or foreign keys.
pub(super) async fn unchanged(session: &mut Session, plan: &Plan) -> Result<(), Fault> {
    let names = &plan.names;
    let now = inspect::table(session, &names.schema, &names.original).await?;
    let same = |now: &Table| {
        let (now, before) = (&now.definition, &plan.original.definition);
        without_counter(now) == without_counter(before)
    };
    let programs = inspect::triggers(session, names).await?;
    let known = &plan.original_triggers;
    let same_programs = programs.len() == known.len()
        && (known.is_empty() || *known == of_original(session, names).await?);
    let keys = inspect::foreign_keys(session, names).await?;
    if now.as_ref().is_some_and(same) && same_programs && keys == plan.foreign_keys {
        return Ok(());
    }
    Err(Fault::unexpected(
        "go on",
        "somebody altered the table, or gave it a trigger or a foreign key, while the migration was \
         prepared",
    ))
}

/// A unique key that the ALTER introduces must hold already, or rows would have to go.
pub(super) async fn no_duplicates(session: &mut Session, plan: &Plan) -> Result<(), Early> {
    let sql = Sql::new(plan);
    let mut refusals = Vec::new();
    for key in &plan.introduced_keys {
        let Some(terms) = unique_key::terms(&plan.ghost, key) else {
            continue;
        };
        let Some(statement): Option<Statement> = sql.count_duplicates(&terms) else {
            continue;
        };
        let answer = session
            .run_for(&statement, limits::LONG_STATEMENT_TIMEOUT)
            .await?;
        let groups = answer.number(0, 0).unwrap_or_default();
        if groups > 0 {
            let rows = duplicates::rows(session, &sql, &terms).await?;
            refusals.push(Refusal::new(
                format!(
                    "unique key `{}` ({}) has duplicates: {groups} values occur more than once, in \
                     {} rows, such as {}",
                    key.name,
                    key.columns.join(", "),
                    answer.number(0, 1).unwrap_or_default(),
                    rows.unwrap_or_else(|| "rows that are gone by now".into()),
                ),
                format!(
                    "find them with {}, and remove them first",
                    sql.duplicates_by_hand(&terms).unwrap_or_default()
                ),
            ));
        }
    }
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(Early::Refused(refusals))
    }
}
