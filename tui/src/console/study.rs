//! The study view: the picture with the hematoma's contour, and all about it beside.

use ichor_core::age_text;
use jiff::tz::TimeZone;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
    text::Line,
    widgets::Widget,
};

use super::{
    app::App,
    picture::{self, Look, WINDOWS},
    viewer::{Layout, Viewer},
};
use crate::{
    report::{self, Page},
    text::{clean, fit, pad, wrap},
    words,
};

/// The text needs at least this many columns.
const TEXT: u16 = 40;
/// Longer lines are hard to read.
const WIDEST: u16 = 76;
/// Narrower terminals show the picture or the text.
const BOTH: u16 = 70;

/// Draws the open study of `app` into `area`.
pub(crate) fn draw(app: &App, viewer: &Viewer, area: Rect, buf: &mut Buffer) {
    heading(app, viewer, Rect { height: 1, ..area }.intersection(area), buf);
    let (picture, text) = parts(viewer, body(area));
    if let Some(area) = picture {
        draw_picture(app, viewer, area, buf);
    }
    if let Some(area) = text {
        for (line, y) in
            text_lines(app, viewer, area).iter().skip(viewer.scroll).zip(area.rows())
        {
            line.render(y, buf);
        }
        more_mark(app, viewer, area, buf);
    }
}

/// How far the text of the open study can be scrolled.
pub(crate) fn most_scroll(app: &App) -> usize {
    let Some(viewer) = &app.viewer else { return 0 };
    let screen = Rect::new(0, 0, app.size.0, app.size.1.saturating_sub(4));
    let (_, text) = parts(viewer, body(screen));
    text.map_or(0, |area| {
        text_lines(app, viewer, area).len().saturating_sub(area.height.into())
    })
}

/// What lies under the heading.
fn body(area: Rect) -> Rect {
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }.intersection(area)
}

/// Where picture and text go.
fn parts(viewer: &Viewer, area: Rect) -> (Option<Rect>, Option<Rect>) {
    match viewer.layout {
        Layout::Text => (None, Some(area)),
        Layout::Picture => (Some(area), None),
        Layout::Both if area.width < BOTH => (Some(area), None),
        Layout::Both => {
            let aspect = viewer.album.as_ref().map_or(1.0, |album| {
                let index = &album.index;
                index.columns as f64 * index.pixel_mm[1]
                    / (index.rows as f64 * index.pixel_mm[0])
            });
            let rows = f64::from(area.height.saturating_sub(1));
            let wanted = (2.0 * rows * aspect.clamp(0.5, 2.0)).ceil() as u16;
            let width = wanted.max(24).min(area.width - TEXT - 1);
            let text = Rect { x: area.x + width + 1, width: area.width - width - 1, ..area };
            (Some(Rect { width, ..area }), Some(text))
        }
    }
}

/// Who this is, on one line.
fn heading(app: &App, viewer: &Viewer, area: Rect, buf: &mut Buffer) {
    let columns = usize::from(area.width);
    let Some(detail) = &viewer.detail else {
        buf.set_string(area.x, area.y, " reading the study", app.theme.title());
        return;
    };
    let row = &detail.row;
    let style = app.theme.title();
    let mark = if row.phantom { " SIM" } else { "" };
    let mut facts = vec![words::patient_id(row), words::age_and_sex(row)];
    let age = age_text(app.now, row.scan);
    facts.push(if age == "-" { "scan -".to_owned() } else { format!("scan {age} ago") });
    facts.push(words::priority(row));
    facts.push(format!("study {}", row.study));
    facts.retain(|fact| !fact.is_empty());
    let facts = facts.join(" · ");
    let room = columns.saturating_sub(facts.chars().count() + mark.len() + 4).max(8);
    let text = format!("{mark} {} · {facts}", fit(&words::patient(row), room));
    buf.set_string(area.x, area.y, pad(&text, columns, false), style);
}

fn draw_picture(app: &App, viewer: &Viewer, area: Rect, buf: &mut Buffer) {
    let picture = Rect { height: area.height.saturating_sub(1), ..area };
    let album = match &viewer.album {
        Ok(album) => album,
        Err(why) => return instead(why, app, area, buf),
    };
    let window = WINDOWS[viewer.window.min(WINDOWS.len() - 1)];
    match viewer.slice() {
        Some(Ok(slice)) => {
            let look = Look { window, contour: viewer.contour, colour: app.theme.colour };
            picture::draw(slice, &album.index, look, picture, buf);
        }
        Some(Err(why)) => instead(why, app, picture, buf),
        None => instead("reading the slice", app, picture, buf),
    }
    let at = |values: &[f64]| values.get(viewer.z).copied().unwrap_or(f64::NAN);
    let mut facts = vec![
        format!("{}/{}", viewer.z + 1, viewer.n_slices()),
        format!("{} {:.0} to {:.0} HU", window.name, window.low_hu, window.high_hu),
    ];
    let area_cm2 = at(&album.index.hematoma_mm2) / 100.0;
    if area_cm2 > 0.0 {
        facts.push(format!("{area_cm2:.1} cm2"));
    }
    let shown = viewer.detail.as_ref().map_or(album.revision, |detail| detail.revision);
    if album.revision != shown {
        facts.push(format!("OLD IMAGES, rev {}", album.revision));
    }
    facts.push(format!("z {:.1} mm", at(&album.index.positions_mm)));
    let text = fit(&facts.join("  "), area.width.into());
    let y = area.bottom().saturating_sub(1);
    buf.set_string(area.x, y, pad(&text, area.width.into(), false), app.theme.dim());
}

/// Words where a picture would be.
fn instead(why: &str, app: &App, area: Rect, buf: &mut Buffer) {
    let lines = wrap(&clean(why), usize::from(area.width).saturating_sub(2));
    let top = area.y + area.height.saturating_sub(lines.len() as u16) / 2;
    for (line, y) in lines.iter().zip(top..area.bottom()) {
        buf.set_string(area.x + 1, y, line, app.theme.dim());
    }
}

fn text_lines(app: &App, viewer: &Viewer, area: Rect) -> Vec<Line<'static>> {
    let zone: &TimeZone = &app.zone;
    let page = Page { theme: app.theme, zone, width: area.width.min(WIDEST).into() };
    viewer.detail.as_ref().map_or_else(Vec::new, |detail| report::lines(detail, page))
}

/// Says in the last line that the text goes on.
fn more_mark(app: &App, viewer: &Viewer, area: Rect, buf: &mut Buffer) {
    let lines = text_lines(app, viewer, area).len();
    let hidden = lines.saturating_sub(viewer.scroll + usize::from(area.height));
    if hidden == 0 || area.height == 0 {
        return;
    }
    let key = if viewer.layout == Layout::Text { "j" } else { "J" };
    let text = format!(" {hidden} more: {key} ");
    let x = area.right().saturating_sub(text.len() as u16);
    let style = Style::new().add_modifier(Modifier::REVERSED);
    buf.set_string(x, area.bottom() - 1, text, style);
}
