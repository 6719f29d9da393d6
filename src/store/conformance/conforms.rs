//! The list of promises, each a test of an engine.

/// Makes each promise a test of the engine that `$open` opens: a function from a folder to [`Open`].
macro_rules! conforms {
    ($open:path) => {
        conforms! { $open;
            intake {
                an_accepted_message_owes_its_deliveries
                a_duplicate_gets_the_first_answer_and_leaves_a_trace
                the_same_id_with_another_body_is_a_conflict_and_changes_nothing
                the_same_id_from_two_senders_is_two_messages
                a_refused_message_claims_no_identity
                a_batch_is_judged_in_order_even_within_itself
                answers_stand_in_order_and_keep_their_ids
                a_cursor_never_goes_back
                what_came_astray_is_told_by_queue_and_party
                a_complaint_under_no_agreement_is_told_by_sender_and_receiver
                a_message_left_in_hand_is_remembered_over_a_crash
                what_is_stored_is_in_hand_no_more
                what_was_taken_is_known_by_its_bytes_and_headers
                lanes_and_pauses_outlive_the_process
            }
            deliveries {
                the_earliest_deadline_is_leased_first
                a_lease_is_exclusive_until_it_runs_out_and_then_the_old_one_is_lost
                a_crash_makes_leased_work_due_again_at_once
                what_is_handed_back_is_due_again_and_counts_no_attempt
                whom_a_parcel_is_about_comes_with_its_lease
                a_retry_waits_until_its_time
                what_waits_is_woken_when_the_clock_was_set_back
                a_probe_takes_the_nearest_deadline_of_all_that_waits
                a_dead_delivery_ends_its_promise_and_is_answered
                the_head_of_an_ordering_key_holds_the_others_until_it_ends
                what_is_settled_is_settled_once
                a_parcel_in_the_mailbox_waits_for_its_acknowledgement
                a_parcel_in_the_mailbox_is_found_however_much_lies_before_it
                a_crash_of_ours_is_counted
                what_waits_for_an_agreement_waits_until_a_person_lets_it_go
                what_waits_for_a_person_is_listed_by_its_reason
                what_died_of_the_same_is_one_group
            }
            promises {
                each_step_is_recorded_once_with_its_true_instant
                after_a_downtime_all_steps_come_at_once_in_due_order
                a_promise_met_late_shows_every_step_and_stays_late
                a_promise_met_at_the_very_instant_is_met_and_not_breached
                a_message_late_on_arrival_is_breached_at_once
                the_sender_is_told_of_risk_and_lateness_once_each
                a_clock_that_is_set_neither_loses_nor_doubles_a_step
                what_is_only_in_transit_keeps_its_promise_open
                endangered_promises_are_counted_by_step
                promises_are_counted_by_the_time_that_is_left_too
            }
            clocks {
                a_clock_that_waits_for_the_delivery_begins_with_it
                what_is_promised_from_the_first_is_met_late_with_every_step
                the_receivers_own_word_stops_what_waits_for_a_receipt
                missing_information_stops_the_clock_and_moves_the_deadline
                a_paused_clock_that_is_decided_is_met_by_what_was_left
                business_time_warns_by_its_calendar
                a_message_about_the_same_citizen_stops_the_clock_of_an_earlier_one
                what_is_in_one_batch_starts_and_stops_in_its_order
                a_death_ends_what_has_begun_and_a_retry_lets_it_go_on
                a_refusal_answers_and_decides_and_ends_the_rest
                the_times_in_which_a_gateway_was_up_are_remembered
            }
            came {
                what_came_before_its_promise_meets_it_at_once
                what_happened_before_the_clock_started_stops_nothing
                a_promise_of_three_is_met_by_the_third
                what_is_in_one_batch_counts_in_whichever_order_it_lies
                what_came_while_nobody_counted_counts_when_the_clock_goes_on
                a_promise_of_the_next_of_its_kind_is_not_met_by_its_own_message
                what_died_is_not_taken_up_for_a_citizen_who_is_placed_no_more
            }
            dated {
                a_date_in_the_past_is_breached_from_the_first_with_its_true_time
                a_date_that_is_told_anew_takes_the_place_of_the_earlier_one
                what_was_due_before_its_date_was_told_anew_stays_breached
                what_gave_way_while_its_delivery_was_dead_is_not_taken_up_again
                what_was_planned_is_kept_by_the_record_that_corrects_it
                what_is_told_anew_concerns_its_own_promises_only
            }
            standing {
                open_promises_are_counted_by_how_they_stand
                each_waiver_is_told_once_from_a_place_on
                what_receipts_and_answers_bring_about_is_told_once
                what_can_only_be_met_after_the_delivery_lies_behind_it
            }
            commands {
                a_dead_delivery_is_tried_again_with_the_same_promise
                a_retry_does_not_break_the_order_of_its_key
                a_delivery_that_waits_its_turn_is_not_sent_before_it
                cancelling_ends_it_and_lets_the_next_go
                a_receipt_meets_the_promise_and_its_repetition_changes_nothing
                a_receipt_that_comes_too_late_is_kept_and_changes_nothing
                a_refusal_by_the_receiver_is_a_death
                a_receipt_overtakes_an_attempt_under_way
                a_result_that_comes_too_late_leaves_the_lease_as_it_is
                a_command_for_nobody_is_not_found
                a_command_rings_the_lane_and_the_senders_answers
                each_death_and_what_follows_it_is_told_under_an_id_of_its_own
                a_waived_promise_is_neither_met_nor_breached_whatever_comes
                a_waived_promise_hides_no_refusal_on_the_way
                what_is_met_or_ended_is_not_waived
                a_waiver_that_needs_two_is_made_by_another_than_who_asked
            }
            replies {
                a_reply_moves_the_state_of_what_it_answers
                a_late_or_contradictory_reply_is_kept_and_changes_nothing
                only_the_receiver_of_a_message_answers_it
                a_reply_is_a_receipt_of_the_delivery
                a_refusal_ends_the_delivery_and_lets_the_next_go
                a_reply_finds_the_delivery_it_names_and_no_other
                a_reply_is_answered_in_the_batch_of_what_it_answers
            }
            fallbacks {
                a_second_way_waits_and_is_nobodys_backlog
                what_the_first_way_delivers_the_second_never_does
                a_second_way_is_let_go_once_at_its_true_instant
                the_second_way_meets_the_promise_and_the_first_is_cancelled
                a_receipt_by_either_way_meets_what_waits_for_it
                a_return_message_confirms_by_the_way_that_lives
                a_first_way_that_dies_leaves_the_promise_to_the_second
                a_second_way_that_dies_leaves_the_promise_to_the_first
                what_is_waived_refused_or_cancelled_lets_nothing_go
                a_person_lets_a_second_way_go_or_gives_it_up
                a_second_way_moves_with_its_deadline
            }
            foreseen {
                a_second_way_goes_by_the_forecast_from_its_share_of_the_time_on
                a_forecast_is_asked_for_what_it_is_about_and_for_nothing_else
                what_a_forecast_says_too_late_lets_nothing_go
            }
            placements {
                who_opted_out_gets_no_more_of_the_placements_messages
                an_opt_out_counts_from_its_day_and_can_be_taken_back
                special_effort_keeps_a_citizen_out_until_it_ends
                a_duplicate_gets_its_first_answer_also_after_an_opt_out
                other_messages_go_on
                what_is_in_one_batch_counts_for_what_comes_after_it
                what_would_pass_a_cap_is_refused_and_what_fits_is_taken
            }
            forget {
                content_is_forgotten_after_its_time_and_what_is_owed_is_kept
                messages_are_forgotten_whole_and_their_ids_are_free
                what_outlasted_its_time_is_forgotten_when_it_has_ended
                what_outlasted_both_times_is_forgotten_whole_when_it_has_ended
                numbers_are_not_given_twice_after_everything_was_forgotten
                what_has_no_content_is_not_tried_again
                answers_of_all_parties_are_forgotten_oldest_first
            }
            figures {
                interviews_are_counted_by_month_and_parties_and_by_who_told_of_them
                a_correction_takes_the_place_of_what_it_corrects
                what_narrows_the_figures_narrows_them
                promises_volumes_and_lateness_are_counted_over_a_period
                a_decision_is_timed_from_the_acceptance_to_the_first_reply_that_decides
            }
            generations {
                the_same_configuration_is_the_same_generation_and_another_the_next
                a_generation_is_kept_as_it_was
                a_node_is_there_as_long_as_it_says_so
                a_request_for_a_reload_is_numbered_and_audited
                each_node_hears_of_the_requests_to_it_whoever_is_asked_after_it
                an_open_promise_gets_another_deadline_and_keeps_its_steps
                an_earlier_deadline_comes_at_once_if_it_lies_behind
                what_is_not_open_or_changed_meanwhile_is_not_moved
                open_promises_come_in_pages_and_each_once
                what_is_handed_over_as_a_lane_ends_is_handed_back
            }
            alerts {
                a_condition_opens_one_alert_and_its_absence_resolves_it
                an_open_alert_keeps_its_earliest_beginning
                an_alert_is_acknowledged_once
                what_nobody_acknowledges_climbs_once_for_each_step_and_whoever_was_told_hears_of_the_end
                what_people_do_about_an_alert_is_kept_with_who_and_why
            }
            traces {
                where_a_message_was_created_comes_with_its_lease_and_its_answers_and_is_found
                a_store_says_how_large_it_is
            }
            ahead {
                a_backlog_is_told_by_due_time_in_order
                a_pace_is_kept_until_the_next
                maintenance_is_planned_once_cancelled_and_forgotten_when_it_is_over
                what_would_go_is_shown_as_waiting_for_the_end_of_maintenance
                of_what_is_late_nothing_is_leased_where_it_should_not_be
            }
            handed {
                what_is_stored_is_leased_and_handed_over_at_once
                a_handed_lease_is_settled_like_any_other_and_runs_out_like_any_other
                what_finds_no_place_waits_and_nothing_newer_passes_it_by
                a_lane_that_stands_still_is_handed_nothing
                what_waits_for_its_turn_or_a_person_is_not_handed_over
                a_batch_shares_the_places_and_a_large_parcel_has_one_to_itself
            }
        }
    };
    ($open:path; $($module:ident { $($promise:ident)* })*) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $promise() {
                let folder = tempfile::tempdir().unwrap();
                super::super::$module::$promise(super::Office::open($open(folder.path()))).await;
            })*
        })*
    };
}
